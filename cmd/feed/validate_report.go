package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/report"
	"github.com/kraft-edge/datafeed/internal/demo"
)

// reportValidation prints a result, and writes the page that was asked for.
func (c *cli) reportValidation(r *validate.Result, asJSON bool, page *pageFile) error {
	if err := page.write(func(w io.Writer) error { return report.WriteHTML(w, r) }); err != nil {
		return err
	}
	var err error
	if asJSON {
		err = report.WriteJSON(c.stdout, r)
	} else {
		var style report.Style // of a log, in which nothing is cut
		if demo.IsTerminal(c.stdout) {
			style = report.Style{Color: os.Getenv("NO_COLOR") == "", Width: terminalWidth(c.stdout) - 1}
		}
		err = report.WriteText(c.stdout, r, style)
	}
	if err != nil {
		return err
	}
	if page.path != "" {
		fmt.Fprintf(c.stderr, "report: %s\n", page.path)
	}
	return nil
}

// pageFile is a file that is there whole or not at all.
type pageFile struct {
	flag string   // that names it
	path string   // empty: none
	file *os.File // what becomes it; nil when it has
}

// openPage prepares a file, so that one that cannot be written is found before the
// work; path may be empty.
func openPage(flag, path string) (*pageFile, error) {
	p := &pageFile{flag: flag, path: path}
	if path == "" {
		return p, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	p.file = f
	return p, nil
}

// write has content write the file, and puts it in its place.
func (p *pageFile) write(content func(io.Writer) error) error {
	if p.path == "" {
		return nil
	}
	err := content(p.file)
	if err == nil {
		err = errors.Join(p.file.Chmod(0o644), p.file.Sync()) // readable as other files that a command makes
	}
	if err = errors.Join(err, p.file.Close()); err == nil {
		err = os.Rename(p.file.Name(), p.path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.flag, err)
	}
	p.file = nil
	return nil
}

// discard removes what did not come into its place.
func (p *pageFile) discard() error {
	if p.file == nil {
		return nil
	}
	p.file.Close()
	return os.Remove(p.file.Name())
}
