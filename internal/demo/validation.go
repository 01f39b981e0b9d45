package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/report"
)

// pageName is the report of the validation in the demo's directory.
const pageName = "report.html"

// ValidationReport is what "feed validate" says of the files, with the section
// validate of the demo's feed.yaml. It judges the time that the cloud API vouches
// for, which ends about a second before the devices did.
type ValidationReport struct {
	Outcome validate.Outcome `json:"outcome"`
	Reasons []string         `json:"reasons,omitempty"`
	From    time.Time        `json:"from"`
	To      time.Time        `json:"to"`
	Counts  validate.Counts  `json:"counts"`
	Page    string           `json:"page,omitempty"` // the report, when it is kept
}

// validate compares the files with the cloud API as "feed validate feed.yaml"
// does. It returns nil when the API vouches for nothing yet.
func (s *stage) validate(ctx context.Context) (_ *ValidationReport, err error) {
	job, err := s.config.Validation("", s.logger)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, job.Expect.Close(), job.Observe.Close()) }()
	watermark, err := job.Expect.Watermark(ctx)
	if err != nil {
		return nil, err
	}
	job.From, job.To = s.start.Truncate(job.Window), watermark.Truncate(job.Window)
	if !job.From.Before(job.To) {
		return nil, nil //nolint:nilnil // there is nothing to say
	}
	result, err := validate.Run(ctx, job)
	if err != nil {
		return nil, err
	}
	v := &ValidationReport{Outcome: result.Outcome, Reasons: result.Reasons, From: result.From, To: result.To, Counts: result.Counts}
	switch {
	case s.options.Page != "":
		v.Page = s.options.Page
	case s.options.Dir != "":
		v.Page = filepath.Join(s.dir, pageName)
	default:
		return v, nil
	}
	page, err := os.OpenFile(v.Page, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return v, errors.Join(report.WriteHTML(page, result), page.Close())
}

// validated notes what the validation found, when that is not that all is well.
func (r *Report) validated() {
	if v := r.Validation; v != nil && v.Outcome != validate.Proven {
		r.problem("feed validate: %s: %s", v.Outcome, strings.Join(v.Reasons, " "))
	}
}

// writeValidation writes the verdict of the validation.
func (r *Report) writeValidation(b *strings.Builder, s style) {
	v := r.Validation
	if v == nil {
		paragraph(b, "  ", "feed validate: the cloud API vouches for nothing yet")
		return
	}
	outcome := s.paint(red, string(v.Outcome))
	if v.Outcome == validate.Proven {
		outcome = s.paint(green, string(v.Outcome))
	}
	const clock = "15:04:05"
	paragraph(b, "  ", fmt.Sprintf("feed validate: %s, %s of %s to %s UTC, which the cloud API vouches for, read in the files and compared",
		outcome, readings(uint64(v.Counts.Matched)), v.From.UTC().Format(clock), v.To.UTC().Format(clock)))
	if v.Page != "" {
		b.WriteString("  its report: " + v.Page + "\n")
	}
}
