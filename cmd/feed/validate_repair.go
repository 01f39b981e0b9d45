package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/repair"
	"github.com/kraft-edge/datafeed/stages/quarantine"
	"github.com/kraft-edge/datafeed/stages/validator"
)

// repairFlags say whether what is missing is sent.
type repairFlags struct {
	repair, dryRun bool
	log            string
}

func (f repairFlags) wanted() bool { return f.repair || f.dryRun }

func (f repairFlags) check() error {
	if f.log != "" && (!f.repair || f.dryRun) {
		return errors.New("--repair-log: nothing is repaired: it goes with --repair, and without --dry-run")
	}
	return nil
}

// loadValidation reads what is compared, and for a repair also the rest of the file.
func (c *cli) loadValidation(file string, repairs bool) (*config.Config, error) {
	if !repairs {
		return config.LoadValidation(file, c.registry)
	}
	cfg, err := config.Load(file, c.registry)
	switch {
	case err != nil:
		return nil, err
	case cfg.Validate.Off():
		return nil, fmt.Errorf("%s compares nothing: write validate: {expect: {…}, observe: {…}}", file)
	case cfg.Validate.Repair.Off():
		return nil, fmt.Errorf("%s does not say how to repair: write validate.repair: {route: NAME, from: {quarantine: {}}}", file)
	}
	return cfg, nil
}

// repair sends what a comparison has missed, and compares again.
func (c *cli) repair(ctx context.Context, r *repairing, job validate.Job, list string, result *validate.Result) (*validate.Result, error) {
	sent, err := r.run(ctx, result.Counts.Undecided)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(job.State); errors.Is(err, fs.ErrNotExist) {
		r.missing.Forget() // no run goes on with it
	}
	if sent && !r.dry {
		fmt.Fprintln(c.stderr, "comparing again")
		// A run that went on with this one would not know what it has missed.
		job.Discrepancy, job.Resume, job.Keep, job.State = nil, nil, nil, ""
		if result, err = c.compare(ctx, job, list); err != nil {
			if ctx.Err() != nil {
				err = errNotComparedAgain
			}
			return nil, err
		}
	}
	return result, r.explainAll(ctx, result, list)
}

// repairing is the repair of what a comparison misses.
type repairing struct {
	*cli
	config  *config.Config
	dry     bool
	known   func(*reading.Reading) validate.Known
	step    time.Duration
	window  time.Duration
	logger  *slog.Logger
	places  []config.RepairPlace // that were not looked at yet
	missing *repair.Missing
	number  int64         // of the last discrepancy
	log     *repairLog    // nil in a dry run
	ledger  *repairLedger // nil when there is none
	total   int64
	found   []repair.Found
	failed  error // of places
}

// newRepairing prepares the repair of a job, so that what is wrong with its settings
// is found before the comparison.
func (c *cli) newRepairing(ctx context.Context, cfg *config.Config, job *validate.Job, f repairFlags, logger *slog.Logger) (_ *repairing, err error) {
	r := &repairing{cli: c, config: cfg, dry: f.dryRun, window: job.Window, logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.known, r.step, err = job.KnownBy(); err != nil {
		return nil, err
	}
	besideTheFeed(append(config.Routes{{Sink: cfg.Validate.Repair.Sink}}, cfg.Routes...))
	for i := range cfg.Validate.Repair.From {
		p, err := cfg.RepairFrom(i, r.dry, logger)
		if err != nil {
			return nil, err
		}
		r.places = append(r.places, p)
	}
	if !r.dry {
		if err := sinksAreFree(cfg); err != nil {
			return nil, err
		}
		if r.log, err = openRepairLog(f.log, job.State, cfg.Validate.Repair.Route); err != nil {
			return nil, err
		}
		if r.ledger, err = openRepairLedger(cfg, logger); err != nil {
			return nil, err
		}
	}
	kept := ""
	if job.State != "" {
		kept, job.Anew = r.keptBeside(job.State)
	}
	if r.missing, err = repair.OpenMissing(ctx, kept); err != nil {
		return nil, err
	}
	r.listen(ctx, job)
	return r, nil
}

// sinksAreFree refuses a repair that would wait for a running feed to end: a sink that
// is down comes back, one that another process has does not.
func sinksAreFree(cfg *config.Config) error {
	sinks := cfg.Validate.Repair.Sink
	for _, r := range cfg.Routes {
		if len(sinks) == 0 && r.Name == cfg.Validate.Repair.Route {
			sinks = r.Sink
		}
	}
	for _, s := range sinks {
		c, ok := s.Config.(*validator.Config)
		if !ok {
			continue
		}
		if err := c.Free(); err != nil {
			return fmt.Errorf("the repair cannot write to sink validator while the feed does: stop the feed, or write validate.repair.sink with the sink alone that the observation reads: %w", err)
		}
	}
	return nil
}

// keptBeside returns the file that keeps what is missing beside a state, for a run
// that goes on, and whether it begins anew: who goes on must know both.
func (r *repairing) keptBeside(state string) (kept string, anew bool) {
	kept = state + ".missing"
	there := func(path string) bool {
		_, err := os.Stat(path)
		return !errors.Is(err, fs.ErrNotExist)
	}
	if anew = there(state) && !there(kept); anew {
		r.logger.Info("what an earlier run has kept does not tell what is missing, and is replaced", "state", state)
	}
	return kept, anew
}

// listen has a comparison tell what is missing.
func (r *repairing) listen(ctx context.Context, job *validate.Job) {
	job.Discrepancy = func(d validate.Discrepancy) error {
		r.number++
		if d.Verdict != validate.Missing {
			return nil
		}
		x := d.Reading()
		return r.missing.Add(ctx, r.known(&x), r.number)
	}
	job.Resume = func(stand int64) error {
		r.number = stand
		return r.missing.Cut(ctx, stand)
	}
	job.Keep = r.missing.Keep
}

// What a signal says that has come after the comparison.
var (
	errRepairStopped    = errors.New("stopped during the repair: what was sent is sent, and the same command goes on with the rest")
	errNotComparedAgain = errors.New("stopped after the repair, before all was compared again: what was sent is sent, and the same command says what is missing then")
)

// run looks for what is missing, and sends it: nothing of which nothing can be said. It
// reports whether anything was sent.
// That a place could not be read does not keep it from looking at the next one.
func (r *repairing) run(ctx context.Context, undecided int64) (sent bool, err error) {
	unknown := ""
	if undecided > 0 {
		unknown = fmt.Sprintf("; %d undecided, of which nothing is sent", undecided)
	}
	if err := r.missing.Seal(ctx); err != nil {
		return false, err
	}
	r.total = r.missing.Left()
	if r.total == 0 {
		fmt.Fprintln(r.stderr, "repair: nothing is missing"+unknown)
		return false, nil
	}
	verb := "repaired"
	if r.dry {
		verb = "found"
	}
	progress := r.startProgress(verb, r.total, func() int64 { return r.total - r.missing.Left() })
	defer progress.stop()
	for len(r.places) > 0 && r.missing.Left() > 0 {
		p := r.places[0]
		r.places = r.places[1:]
		found, err := r.from(ctx, p)
		r.found = append(r.found, found)
		if ctx.Err() != nil {
			return true, errRepairStopped
		}
		if err != nil {
			fmt.Fprintf(r.stderr, "repair: from %s: %s\n", p.Name, oneLine(err.Error(), 500))
			r.failed = errors.Join(r.failed, fmt.Errorf("repair from %s: %w", p.Name, err))
		}
	}
	return r.total > r.missing.Left(), r.writeRest(ctx, unknown)
}

// from sends what one place has.
func (r *repairing) from(ctx context.Context, p config.RepairPlace) (_ repair.Found, err error) {
	refused := &refusals{}
	defer func() {
		told := *r.cli
		told.stdout = r.stderr
		refused.report(&told)
	}()
	work := repair.Repair{
		Missing: r.missing, Known: r.known, DryRun: r.dry,
		Options: feed.Options{Name: r.config.Name, Logger: r.logger, DrainTimeout: r.config.DrainTimeout, Quarantine: refused},
	}
	if r.log != nil {
		work.Note = r.log.add
	}
	if r.ledger != nil {
		work.Options.Ledger = r.ledger
	}
	abandon := func(err error) (repair.Found, error) {
		return repair.Found{Place: p.Name}, errors.Join(err, p.Route.Close())
	}
	switch {
	case p.Side != nil:
		defer func() { err = errors.Join(err, p.Side.Close()) }()
		records, err := repair.NewRecords(p.Side, r.missing, r.window, r.step)
		if err != nil {
			return abandon(err)
		}
		found, err := work.From(ctx, p.Name, p.Route, records)
		if r.missing.Left() > 0 {
			err = errors.Join(err, records.Unreadable())
		}
		return found, err
	case p.Source != nil:
		stream, err := newStreamToNow(p.Source)
		if err != nil {
			return abandon(errors.Join(err, closeSource(p.Source)))
		}
		found, err := work.From(ctx, p.Name, p.Route, stream)
		return found, errors.Join(err, closeSource(p.Source))
	}
	editor, err := quarantine.OpenEditor(ctx, placeOf(r.config))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, quarantine.ErrUnknownFeed):
		return abandon(nil) // nothing was ever quarantined
	case err != nil:
		return abandon(err)
	}
	defer func() { err = errors.Join(err, editor.Close()) }()
	// Also what was replayed before: it may have been lost since.
	q, err := editor.Snapshot(ctx, quarantine.Query{Route: p.Route.Name})
	if err != nil {
		return abandon(err)
	}
	source := quarantine.NewSource(editor.Replay("route "+p.Route.Name, "feed validate --repair"), q, restore)
	found, err := work.From(ctx, p.Name, p.Route, source)
	if n, markErr := source.Unmarked(); markErr != nil {
		err = errors.Join(err, fmt.Errorf("%s sent, but could not be marked as replayed: %w", were(n), markErr))
	}
	if lost := source.Unrestored(); lost.Count > 0 {
		err = errors.Join(err, fmt.Errorf("%s not be read: %w", could(lost.Count), errors.Join(lost.First...)))
	}
	return found, errors.Join(err, source.Close())
}

func could(n int64) string { return messages(n) + " could" }

// writeRest logs what no place had, and tells the sums.
func (r *repairing) writeRest(ctx context.Context, unknown string) error {
	counts := map[repair.Fate]int64{}
	for e, err := range r.missing.All(ctx) {
		if err != nil {
			return err
		}
		counts[e.Fate]++
		if r.log != nil && e.Fate == repair.Nowhere {
			if err := r.log.add("", []validate.Known{e.Known}, e.Fate); err != nil {
				return err
			}
		}
	}
	var parts []string
	for _, f := range r.found {
		if f.Sent > 0 {
			parts = append(parts, fmt.Sprintf("%d %s from %s", f.Sent, r.verb(), f.Place))
		}
		if f.Strange > 0 {
			fmt.Fprintf(r.stderr, "repair: of %s the route made %s that are no readings\n", f.Place, messages(f.Strange))
		}
	}
	if n := counts[repair.Refused]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d refused by route %s", n, r.config.Validate.Repair.Route))
	}
	if n := counts[repair.Nowhere]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d %s", n, r.nowhere()))
	}
	fmt.Fprintf(r.stderr, "repair: %d missing: %s%s\n", r.total, strings.Join(parts, ", "), unknown)
	if r.log != nil {
		if err := r.log.flush(); err != nil {
			return err
		}
		fmt.Fprintf(r.stderr, "repair log: %s\n", r.log.path)
	}
	return nil
}

func (r *repairing) verb() string {
	if r.dry {
		return "would be sent"
	}
	return "sent"
}

// nowhere says of what was not found where it was looked for.
func (r *repairing) nowhere() string {
	if r.failed != nil {
		return "not found at the edge, of which not all could be read"
	}
	return "nowhere at the edge"
}

// explain says why readings are missing still.
func (r *repairing) explain(ctx context.Context, d *validate.Discrepancy) error {
	if d.Verdict != validate.Missing {
		return nil
	}
	x := d.Reading()
	e, ok, err := r.missing.Lookup(ctx, r.known(&x))
	if err != nil || !ok {
		return err
	}
	switch e.Fate {
	case repair.Refused:
		d.Cause = fmt.Sprintf("%s has it, and route %s refuses it", e.Place, r.config.Validate.Repair.Route)
	case repair.Sent:
		d.Cause = fmt.Sprintf("%s from %s", r.verb(), e.Place)
		if !r.dry {
			d.Cause += ", and not read back: the observation does not read where the repair writes, or the rules take another reading for this one"
		}
	default:
		d.Cause = r.nowhere()
	}
	return nil
}

// explainAll says so in a result, and in its list.
func (r *repairing) explainAll(ctx context.Context, result *validate.Result, list string) error {
	for i := range result.Discrepancies {
		if err := r.explain(ctx, &result.Discrepancies[i]); err != nil {
			return err
		}
	}
	return explainList(list, func(d *validate.Discrepancy) error { return r.explain(ctx, d) })
}

// conclude adds to a verdict that places could not be read: when all is proven none
// of them was needed. The exit code is that of the verdict, whatever failed there.
func (r *repairing) conclude(verdict error) error {
	if verdict == nil || r.failed == nil {
		return verdict
	}
	return fmt.Errorf("%w\n%s", verdict, r.failed.Error())
}

// close releases what was not used, and the files.
func (r *repairing) close() error {
	var errs []error
	for _, p := range r.places {
		errs = append(errs, p.Route.Close())
		if p.Side != nil {
			errs = append(errs, p.Side.Close())
		}
		if p.Source != nil {
			errs = append(errs, closeSource(p.Source))
		}
	}
	if r.log != nil {
		errs = append(errs, r.log.close())
	}
	if r.ledger != nil {
		errs = append(errs, r.ledger.Close())
	}
	if r.missing != nil {
		errs = append(errs, r.missing.Close())
	}
	return errors.Join(errs...)
}
