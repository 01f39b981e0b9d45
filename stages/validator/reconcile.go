package validator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// reconcile judges the windows that are due, and returns the worst that was found of
// them in this run.
func (s *Sink) reconcile(ctx context.Context) (worst validate.Outcome, err error) {
	k, err := s.prepare()
	if err != nil {
		return "", err
	}
	watermark, err := s.expect.Watermark(ctx)
	if err != nil {
		return "", fmt.Errorf("ask for the watermark: %w", err)
	}
	worst = validate.Proven
	if watermark.Before(time.Unix(0, 0)) { // or zero
		return worst, nil // nothing can be judged yet
	}
	to := s.now() // what is not over yet is not judged, whatever the expectation says of the future
	if watermark.Before(to) {
		to = watermark
	}
	for _, t := range k.judgements.due(to.UnixNano() - int64(s.config.Lateness)) {
		found, err := s.judge(ctx, k, t)
		if err != nil {
			return worst, err
		}
		if found == validate.Discrepant || worst == validate.Proven {
			worst = found
		}
	}
	return worst, nil
}

// prepare opens the directory, and drops what is too old.
func (s *Sink) prepare() (*kept, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed != nil {
		return nil, s.closed
	}
	k, err := s.open()
	if err != nil {
		return nil, err
	}
	return k, s.expire(k)
}

// judge compares windows, remembers and tells what was found.
func (s *Sink) judge(ctx context.Context, k *kept, t times) (validate.Outcome, error) {
	observed := &side{store: k.store}
	job := validate.Job{
		Options: s.config.Options, Expect: s.expect, Observe: observed,
		ExpectName: s.config.Expect.Name, ObserveName: "validator", Logger: s.log,
	}
	job.From, job.To = t.bounds()
	k.judgements.begin(t)
	result, err := validate.Run(ctx, job)
	if err != nil {
		k.judgements.end(nil)
		return "", err
	}
	found := judgement{Outcome: result.Outcome, Counts: result.Counts, At: result.Finished, Open: !decided(result)}
	k.judgements.end(&found)
	if found.Outcome == validate.Open && !found.Open {
		found.Outcome = validate.Proven // of nothing: no reason to worry about the run
	}
	return found.Outcome, errors.Join(s.remember(k), s.tell(result))
}

// decided reports whether nothing but an arrival can change a result. That nothing
// was expected, and nothing came, is decided, too.
func decided(r *validate.Result) bool {
	switch {
	case r.Counts.Undecided > 0 || r.Verdicts[validate.Undecided] > 0:
		return false
	case r.Outcome == validate.Proven:
		return true
	}
	return len(r.Unreadable) == 0 && (r.Outcome == validate.Discrepant || r.Counts.Expected == 0)
}

func (s *Sink) remember(k *kept) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.save(k); err != nil {
		return fmt.Errorf("keep what was found: %w", err)
	}
	return nil
}

// tell logs a result, and writes reports.
func (s *Sink) tell(r *validate.Result) error {
	c := &r.Counts
	attrs := []any{
		"from", r.From, "to", r.To, "outcome", r.Outcome, "expected", c.Expected, "observed", c.Observed, "matched", c.Matched,
		"missing", c.Missing, "altered", c.Altered, "extra", c.Extra, "duplicate", c.Duplicate, "undecided", c.Undecided,
	}
	if len(r.Reasons) > 0 {
		attrs = append(attrs, "reason", r.Reasons[0])
	}
	page, err := s.report(r)
	if page != "" {
		attrs = append(attrs, "report", page)
	}
	if r.Outcome == validate.Discrepant {
		s.log.Warn("compared", attrs...)
	} else {
		s.log.Info("compared", attrs...)
	}
	return err
}
