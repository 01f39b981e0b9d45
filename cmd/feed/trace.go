package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/ledger"
)

const traceHelp = `Shows the way of a message, or of a reading, through every route that has kept it
in a ledger (ledger: {path: …} in the configuration): when it was received and
from where, what became of it, and where it went.

  feed trace press7/41/00ff00ff00ff00ff/3 --config ingest.yaml --config telemetry.yaml
  feed trace --device press7 --seq 41 --config telemetry.yaml
  feed trace --device press7 --tag temperature --time 2026-03-01T12:00:00Z --ledger /mnt/line-1/ledger

ID is that of a message. A message of which others were made, such as a batch,
is shown with these, and these with it. It works while the feed runs; of the last
second nothing may be there yet. What a ledger says is what its feed believes: what
really stands in a destination is for feed validate to find out.

The exit code is 1 when nothing is found.`

// tracing is what the flags of feed trace say.
type tracing struct {
	files, ledgers []string
	device, tag    string
	seq            uint64
	time           string
	since          time.Duration
	limit          int
	asJSON         bool
}

func (c *cli) traceCommand() *cobra.Command {
	var o tracing
	cmd := &cobra.Command{
		Use:   "trace [ID]",
		Short: "Show the way of a message through every route",
		Long:  traceHelp,
		Args:  cobra.ArbitraryArgs, // an id may look like anything; trace counts them
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := o.query(args, cmd.Flags().Changed("seq"))
			if err != nil {
				return err
			}
			dirs, err := o.directories()
			if err != nil {
				return err
			}
			return c.trace(cmd.Context(), dirs, q, o.asJSON)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.files, "config", nil, "configuration that names a ledger; several are searched together")
	f.StringArrayVar(&o.ledgers, "ledger", nil, "directory of a ledger; several are searched together")
	f.StringVar(&o.device, "device", "", "readings of this device")
	f.Uint64Var(&o.seq, "seq", 0, "readings with this sequence")
	f.StringVar(&o.tag, "tag", "", "readings of this tag")
	f.StringVar(&o.time, "time", "", "readings of this time")
	f.DurationVar(&o.since, "since", 0, "only what ended so long ago at most, such as 24h, which is faster")
	f.IntVar(&o.limit, "limit", 100, "most records of one ledger to show, the newest")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

// query is what the arguments ask for.
func (o *tracing) query(args []string, hasSeq bool) (q ledger.Query, err error) {
	switch {
	case len(args) > 1:
		return q, fmt.Errorf("feed trace takes one ID, %q is too many", oneLine(args[1], 60))
	case len(args) == 1 && args[0] == "":
		return q, errors.New("the ID is empty")
	case len(args) == 1:
		q.IDs = args
	case o.device == "" && o.tag == "":
		return q, errors.New("say what to look for: an ID, or --device NAME with --seq N or --time T")
	}
	if o.limit < 1 {
		return q, fmt.Errorf("--limit %d is too small: the least is 1", o.limit)
	}
	if o.since < 0 {
		return q, fmt.Errorf("--since %v is negative", o.since)
	}
	q.Device, q.Tag, q.Limit = o.device, o.tag, o.limit
	if hasSeq {
		q.Seq = &o.seq
	}
	if o.since > 0 {
		q.Since = time.Now().Add(-o.since)
	}
	q.Time, err = parseTime("--time", o.time)
	return q, err
}

// directories returns where the ledgers are.
func (o *tracing) directories() ([]string, error) {
	dirs := slices.Clone(o.ledgers)
	for _, file := range o.files {
		cfg, err := config.LoadSettings(file)
		if err != nil {
			return nil, err
		}
		if cfg.Ledger.Off() {
			return nil, fmt.Errorf("%s has no ledger: write ledger: {path: …}; from then on it is kept", file)
		}
		dirs = append(dirs, cfg.Ledger.Path)
		if repairs := repairsOf(cfg.Ledger.Path); isDirectory(repairs) {
			dirs = append(dirs, repairs)
		}
	}
	if len(dirs) == 0 {
		return nil, errors.New("say where to look: --config FILE or --ledger DIR")
	}
	for i := range dirs {
		dirs[i] = filepath.Clean(dirs[i])
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), nil
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// trace searches ledgers and shows what is there.
func (c *cli) trace(ctx context.Context, dirs []string, q ledger.Query, asJSON bool) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s := &search{dirs: dirs, query: q}
	live := c.showLive(200*time.Millisecond, between, func() string {
		return fmt.Sprintf("searched %d of %d MiB", s.read.Load()>>20, s.total.Load()>>20)
	})
	way, err := s.run(ctx)
	live.stop()
	switch {
	case err != nil:
		return failed(err)
	case asJSON:
		err = writeJSON(c.stdout, way)
	default:
		err = writeWay(c.stdout, way)
	}
	if err == nil && len(way.Hops) == 0 {
		err = fmt.Errorf("nothing found in %d records%s", way.Records, way.unread())
	}
	return failed(err)
}

// search looks into ledgers.
type search struct {
	dirs        []string
	query       ledger.Query
	read, total atomic.Int64
}

// way is what has become of what was looked for.
type way struct {
	Hops       []ledger.Entry `json:"hops"`       // by when they were received
	Further    int64          `json:"further"`    // records that fit too, beyond the limit
	Records    int64          `json:"records"`    // looked at
	Unreadable int64          `json:"unreadable"` // bytes
}

// rounds is how often what was found is searched for in its turn: a batch, its
// readings, and these as another transform has changed them.
const rounds = 3

func (s *search) run(ctx context.Context) (*way, error) {
	w := &way{Hops: []ledger.Entry{}}
	if err := s.all(ctx, s.query, w, true); err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	for _, id := range s.query.IDs {
		asked[id] = true
	}
	for range rounds {
		q := ledger.Query{Since: s.query.Since, Limit: s.query.Limit}
		for _, e := range w.Hops {
			if e.ID != "" && !asked[e.ID] {
				asked[e.ID] = true
				q.IDs = append(q.IDs, e.ID)
			}
			if id := e.DeliveryID; id != "" && !asked[id] {
				asked[id] = true
				q.Made = append(q.Made, id) // not those that were made of it beside
			}
		}
		if len(q.IDs)+len(q.Made) == 0 {
			break
		}
		if err := s.all(ctx, q, w, false); err != nil {
			return nil, err
		}
	}
	ledger.Sort(w.Hops)
	return w, nil
}

// all searches each ledger.
func (s *search) all(ctx context.Context, q ledger.Query, w *way, first bool) error {
	known := map[string]bool{}
	for _, e := range w.Hops {
		known[hopKey(&e)] = true
	}
	for _, dir := range s.dirs {
		s.read.Store(0)
		found, err := ledger.Find(ctx, dir, q, func(p ledger.Progress) {
			s.read.Store(p.Read)
			s.total.Store(p.Total)
		})
		if err != nil {
			return err
		}
		for _, e := range found.Entries {
			if key := hopKey(&e); !known[key] {
				known[key] = true
				w.Hops = append(w.Hops, e)
			}
		}
		if first {
			w.Further += found.Matched - int64(len(found.Entries))
			w.Records += found.Records
			w.Unreadable += found.Unreadable
		}
	}
	return nil
}

// hopKey tells records apart.
func hopKey(e *ledger.Entry) string {
	return fmt.Sprintf("%q %q %q %q %d %d %s", e.Feed, e.Route, e.ID, e.DeliveryID, e.Received.UnixNano(), e.Done.UnixNano(), e.Outcome)
}
