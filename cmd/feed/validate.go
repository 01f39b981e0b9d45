package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed/validate"
)

const validateHelp = `Compares what there should be with what has arrived, as the section validate: of
FILE says, and reads both sides in doing so. Of the rest of the file nothing is
needed.

  validate:
    expect:
      cloudapi:
        url: "${CLOUD_URL}"
        oauth2: {clientId: validator, clientSecret: "${CLOUD_SECRET}"}
    observe:
      blob: {url: "file:///var/lib/feed"}

Times are given as 2026-03-01 (midnight in UTC) or 2026-03-01T12:00:00Z. Without
--from and --to these are the last 24 hours up to the newest window that can be
decided by now: the last that ended longer ago than lateness.

The exit code is 0 when all that was expected arrived as it was, 1 when something
is wrong, and 2 when that could not be decided, or nothing could be compared.
SIGINT and SIGTERM end it; with --state the same command goes on.

With --repair what is missing is looked for at the edge, in the order that
validate.repair of FILE says, and sent through a route of FILE; then all is
compared again, and that is the result. --dry-run says what would be sent.`

// validation is what the flags of feed validate say.
type validation struct {
	from, to string
	last     time.Duration
	device   string
	against  string
	state    string
	asJSON   bool
	html     string
	list     string
	repairFlags
}

func (c *cli) validateCommand() *cobra.Command {
	var o validation
	cmd := &cobra.Command{
		Use:   "validate FILE",
		Short: "Compare what has arrived with what there should be",
		Long:  validateHelp,
		Args:  arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withPlugins(cmd.Context(), args[0], c.loggerOf(args[0]), func(c *cli) error { return c.validate(cmd.Context(), args[0], o) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "first time (default: 24 hours before the end)")
	f.StringVar(&o.to, "to", "", "first time that is not compared any more (default: see above)")
	f.DurationVar(&o.last, "last", 0, "how long before the end the first time is, in the place of --from")
	f.StringVar(&o.device, "device", "", "compare only this device")
	f.StringVar(&o.against, "against", "", "observation to compare with (default: the first of the file)")
	f.StringVar(&o.state, "state", "", "file that keeps what was found so far (default: state of the file)")
	f.BoolVar(&o.asJSON, "json", false, "print the result as JSON")
	f.StringVar(&o.html, "html", "", "file for a report to look at in a browser")
	f.StringVar(&o.list, "list", "", "file for all discrepancies, each a line of JSON")
	f.BoolVar(&o.repair, "repair", false, "send what is missing again, from where validate.repair of the file says, and compare again")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what --repair would send, and send nothing")
	f.StringVar(&o.log, "repair-log", "", "file to which repairs add what they did, each reading a line of JSON (default: beside the state, or "+defaultRepairLog+")")
	return cmd
}

// validate compares what file names, and reports.
func (c *cli) validate(ctx context.Context, file string, o validation) (err error) {
	if err := o.repairFlags.check(); err != nil {
		return err
	}
	cfg, err := c.loadValidation(file, o.wanted())
	if err != nil {
		return err
	}
	span, err := o.span(time.Now(), cfg.Validate.Options)
	if err != nil {
		return err
	}
	logger := newLogger(cfg.Log, c.stderr)
	for _, w := range cfg.Warnings {
		logger.Warn("configuration", "at", w.String())
	}
	job, err := cfg.Validation(o.against, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, job.Expect.Close(), job.Observe.Close()) }()
	job.From, job.To, job.Device = span.from, span.to, o.device
	if o.state != "" {
		job.State = o.state
	}
	page, err := openPage(o.html)
	if err != nil {
		return err
	}
	if page != nil {
		defer func() { err = errors.Join(err, page.Discard()) }()
	}
	// A signal ends it, a second one the process.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	var r *repairing // nil when only is compared
	if o.wanted() {
		if r, err = c.newRepairing(ctx, cfg, &job, o.repairFlags, logger); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.close()) }()
	}
	fmt.Fprintf(c.stderr, "comparing %s: %s with %s\n", span, job.Expect, job.Observe)
	result, err := c.compare(ctx, job, o.list)
	if errors.Is(err, validate.ErrOtherState) && span.rolls {
		// What an earlier run kept is of a time that has passed.
		logger.Info("what an earlier run has kept is of another time, and replaced", "state", job.State)
		job.Anew = true
		result, err = c.compare(ctx, job, o.list)
	}
	if r != nil && err == nil {
		result, err = c.repair(ctx, r, job, o.list, result)
	}
	if ctx.Err() != nil && err != nil && !errors.Is(err, errRepairStopped) && !errors.Is(err, errNotComparedAgain) {
		return interrupted(job.State)
	}
	if err != nil {
		return err
	}
	if err := tellCauses(ctx, cfg, &job, result, logger); err != nil {
		return err
	}
	if err := c.reportValidation(result, o.asJSON, page, o.html); err != nil {
		return err
	}
	if r != nil {
		return r.conclude(verdictOf(result))
	}
	return verdictOf(result)
}

// compare runs the job, shows how far it is, and lists discrepancies.
func (c *cli) compare(ctx context.Context, job validate.Job, listed string) (*validate.Result, error) {
	list, err := openList(listed)
	if err != nil {
		return nil, err
	}
	watch := c.watchValidation(&job)
	note, resume, keep := job.Discrepancy, job.Resume, job.Keep
	job.Discrepancy = func(d validate.Discrepancy) error {
		if note != nil {
			if err := note(d); err != nil {
				return err
			}
		}
		return list.add(d)
	}
	job.Resume = func(stand int64) error {
		if resume != nil {
			if err := resume(stand); err != nil {
				return err
			}
		}
		return list.resume(stand)
	}
	job.Keep = func() error {
		if keep != nil {
			if err := keep(); err != nil {
				return err
			}
		}
		return list.keep()
	}
	result, err := validate.Run(ctx, job)
	watch.stop()
	if err := errors.Join(err, list.close()); err != nil {
		return nil, err
	}
	return result, nil
}

// interrupted says how to go on after a signal.
func interrupted(state string) error {
	if state == "" {
		return errors.New("stopped before all was compared, and nothing of it is kept: with --state FILE the same command goes on where it was stopped")
	}
	return fmt.Errorf("stopped before all was compared: the same command goes on with what %s keeps", state)
}

// verdictOf maps the outcome to the exit code: nil is proven, a failure is
// discrepant, and any other error is open.
func verdictOf(r *validate.Result) error {
	switch r.Outcome {
	case validate.Proven:
		return nil
	case validate.Discrepant:
		return failed(fmt.Errorf("discrepancies: %s", wrongOf(r.Counts)))
	}
	reason := "the report says why"
	if len(r.Reasons) > 0 {
		reason = oneLine(r.Reasons[0], 200)
	}
	return fmt.Errorf("not decided: %s", reason)
}
