package validator

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/report"
	"github.com/kraft-edge/datafeed/internal/wholefile"
)

const (
	reportPrefix = "validation_"
	reportTime   = "20060102T150405Z"
	keptReports  = 100
)

// formats are those of reports, by the ends of their files' names.
var formats = []struct {
	suffix string
	write  func(io.Writer, *validate.Result) error
}{{".json", report.WriteJSON}, {".html", report.WriteHTML}}

// report writes the reports of a result under the name of its windows, and under
// that of the latest one. It returns the name of the page; "" is none.
func (s *Sink) report(r *validate.Result) (page string, err error) {
	dir := s.config.Report
	if dir == "" {
		return "", nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	name := reportPrefix + r.From.Format(reportTime) + "_" + r.To.Format(reportTime)
	for _, f := range formats {
		content := func(w io.Writer) error { return f.write(w, r) }
		for _, file := range []string{name, "latest"} {
			if err := wholefile.Write(filepath.Join(dir, file+f.suffix), 0o644, content); err != nil {
				return "", fmt.Errorf("report: %w", err)
			}
		}
	}
	if err := thinOut(dir); err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	return filepath.Join(dir, name+".html"), nil
}

// thinOut removes reports of the oldest windows, so that a hundred are left.
func thinOut(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range formats {
		var names []string
		for _, e := range entries {
			if isReport(e.Name(), f.suffix) {
				names = append(names, e.Name())
			}
		}
		slices.Sort(names)
		for _, name := range names[:max(0, len(names)-keptReports)] {
			err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
		}
	}
	return err
}

// isReport reports whether a file is one that report has written.
func isReport(name, suffix string) bool {
	name, ok := strings.CutSuffix(name, suffix)
	name, too := strings.CutPrefix(name, reportPrefix)
	from, to, parts := strings.Cut(name, "_")
	_, err := time.Parse(reportTime, from)
	_, err2 := time.Parse(reportTime, to)
	return ok && too && parts && err == nil && err2 == nil
}
