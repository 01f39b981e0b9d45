package main

import (
	"fmt"
	"os"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/report"
	"github.com/kraft-edge/datafeed/internal/demo"
	"github.com/kraft-edge/datafeed/internal/wholefile"
)

// readableMode is the mode of the files that the command makes for people.
const readableMode = 0o644

// openPage prepares the page that a path asks for, so that one that cannot be written
// is found before the work; nil is none.
func openPage(path string) (*wholefile.File, error) {
	if path == "" {
		return nil, nil
	}
	page, err := wholefile.Create(path, readableMode)
	if err != nil {
		return nil, fmt.Errorf("--html: %w", err)
	}
	return page, nil
}

// reportValidation prints a result, and writes the page unless there is none.
func (c *cli) reportValidation(r *validate.Result, asJSON bool, page *wholefile.File, path string) error {
	if page != nil {
		err := report.WriteHTML(page, r)
		if err == nil {
			err = page.Commit()
		}
		if err != nil {
			return fmt.Errorf("--html: %w", err)
		}
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
	if page != nil {
		fmt.Fprintf(c.stderr, "report: %s\n", path)
	}
	return nil
}
