package validate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/wholefile"
)

// snapshot is what is known when all windows before Reached are compared. It is
// what is kept for another run of the same job.
type snapshot struct {
	Format    string     `json:"format"` // see stateFormat
	Job       string     `json:"job"`    // see identity
	Since     time.Time  `json:"since"`
	Watermark time.Time  `json:"watermark"` // by which windows were judged
	Reached   int64      `json:"reached"`
	Findings  *findings  `json:"findings"`
	Open      []openKept `json:"open,omitempty"`
	Leftovers []leftKept `json:"leftovers,omitempty"`
}

// openKept is an [open] window with leftovers.
type openKept struct {
	Device string `json:"device"`
	Tag    string `json:"tag"`
	Window int64  `json:"window"`
	Counts Counts `json:"counts"`
}

// leftKept is a [leftover].
type leftKept struct {
	Open     int             `json:"open"` // index of the window
	Missing  bool            `json:"missing"`
	Doubt    bool            `json:"doubt,omitempty"`
	Disorder bool            `json:"disorder,omitempty"`
	Reading  json.RawMessage `json:"reading"`
	Arrived  int64           `json:"arrived,omitempty"`
	Place    Place           `json:"place"`
}

// maxKept is how many leftovers are taken from slice to slice.
const maxKept = 10_000

// ErrOtherState is wrapped by the error of [Run] when State keeps what a run of
// another job has found.
var ErrOtherState = errors.New("the state of a run with other sides, range or options")

// stateMark begins the format of all states, so that no other file is taken for one.
const stateMark = "state of a validation, format "

// stateFormat changes with what a snapshot means.
const stateFormat = stateMark + "2"

// jobID is equal for jobs that may go on with what another has found.
func (r *run) jobID() (string, error) {
	e, o := r.sides[expected], r.sides[observed]
	b, err := json.Marshal([]any{
		stateFormat, r.Options, fmt.Sprint(*r.rules), r.ExpectName, e.String(), e.Traits().Identity, r.ObserveName, o.String(), o.Traits().Identity,
		r.Job.Device, r.first, r.last,
	})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// load begins with what is kept, or with nothing. What was judged by a watermark that
// is not reached any more may have been judged too early.
func (r *run) load(watermark time.Time) error {
	id, err := r.jobID()
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	windows := r.last - r.first
	p := picture{first: r.first, per: (windows + maxParts - 1) / maxParts, window: int64(r.Window)}
	r.snapshot = snapshot{Format: stateFormat, Job: id, Since: r.started, Watermark: watermark, Reached: r.first, Findings: newFindings(p, windows, r.MaxListed)}
	if r.State == "" {
		return nil
	}
	b, err := os.ReadFile(r.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("validate: the state of an earlier run: %w", err)
	}
	var of struct{ Format, Job string }
	if err := json.Unmarshal(b, &of); err != nil || !strings.HasPrefix(of.Format, stateMark) {
		return fmt.Errorf("validate: %s is not the state of a validation: name another file, or remove it", r.State)
	}
	r.kept = true
	if r.Anew {
		return r.save(r.first)
	}
	if of.Format != stateFormat || of.Job != id {
		return fmt.Errorf("validate: %s keeps %w: name another file, or remove it", r.State, ErrOtherState)
	}
	kept := snapshot{Findings: newFindings(p, windows, r.MaxListed)}
	if err := json.Unmarshal(b, &kept); err != nil {
		return fmt.Errorf("validate: the state of an earlier run %s cannot be read: remove it to begin anew: %w", r.State, err)
	}
	if watermark.Before(kept.Watermark) {
		r.log.Warn("the watermark has gone back since an earlier run: beginning anew", "state", r.State, "before", kept.Watermark, "now", watermark)
		return r.save(r.first) // when the watermark is there again, it is too late
	}
	kept.Watermark = watermark
	kept.Findings.become(p, r.MaxListed)
	if err := r.restore(&kept); err != nil {
		return fmt.Errorf("validate: the state of an earlier run %s cannot be used: remove it to begin anew: %w", r.State, err)
	}
	r.snapshot = kept
	r.log.Info("going on with an earlier run", "state", r.State, "since", kept.Since, "reached", r.query(kept.Reached, 1).From)
	return nil
}

func (r *run) restore(kept *snapshot) error {
	if kept.Reached < r.first || kept.Reached > r.last || len(kept.Findings.Rates) != len(newFindings(kept.Findings.picture, r.last-r.first, 0).Rates) {
		return errors.New("it is of another range")
	}
	windows := make([]*open, len(kept.Open))
	for i, o := range kept.Open {
		windows[i] = &open{tag: tag{o.Device, o.Tag}, device: kept.Findings.device(o.Device, ""), Window: o.Window, Counts: o.Counts, done: true}
	}
	var parser reading.Parser
	for _, l := range kept.Leftovers {
		x, err := parser.Parse(l.Reading)
		if err != nil {
			return err
		}
		if l.Open < 0 || l.Open >= len(windows) {
			return fmt.Errorf("a reading of window %d of %d", l.Open, len(windows))
		}
		r.pending.keep(&leftover{
			held:   held{Record: Record{Reading: x, Arrived: l.Arrived, Place: l.Place}, time: r.time(x.Time), disorder: l.Disorder},
			window: windows[l.Open], missing: l.Missing, doubt: l.Doubt,
		})
	}
	kept.Open, kept.Leftovers = nil, nil
	return nil
}

// save keeps what is known, and leftovers for the slices to come.
func (r *run) save(reached int64) error {
	r.Reached = reached
	if err := r.giveUp(int64(min(maxKept, max(r.MaxRecords/2, 1)))); err != nil {
		return err
	}
	if r.State == "" {
		return nil
	}
	kept := r.snapshot
	at := map[*open]int{}
	for _, l := range r.pending.queue {
		if l.settled {
			continue
		}
		i, known := at[l.window]
		if !known {
			i = len(kept.Open)
			at[l.window] = i
			kept.Open = append(kept.Open, openKept{Device: l.window.tag.device, Tag: l.window.tag.tag, Window: l.window.Window, Counts: l.window.Counts})
		}
		kept.Leftovers = append(kept.Leftovers, leftKept{
			Open: i, Missing: l.missing, Doubt: l.doubt, Disorder: l.disorder, Reading: l.AppendJSON(nil), Arrived: l.Arrived, Place: l.Place,
		})
	}
	kept.Findings.Problems.cut()
	kept.Findings.Discrepancies.cut()
	if r.Keep != nil {
		if err := r.Keep(); err != nil {
			return err
		}
	}
	b, err := json.Marshal(&kept)
	if err == nil {
		err = wholefile.Write(r.State, 0o600, func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("validate: keeping what was found: %w", err)
	}
	r.kept = true
	return nil
}

// forget removes what is kept, and no other file.
func (r *run) forget() error {
	if !r.kept {
		return nil
	}
	if err := os.Remove(r.State); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("validate: removing what was kept: %w", err)
	}
	return nil
}
