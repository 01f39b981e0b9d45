package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	load         // of paths that empty a queue
	pairs        int
	rate         int // messages a second of the steady path
	runIn        time.Duration
	measured     time.Duration
	paths        []path
	startup      bool // measure the start too
	starts       int
	docs         string
	profile      bool
	withoutGoals bool

	flat    bool     // measure sweeps instead of paths
	sweeps  []string // their names
	rounds  int      // of each sweep
	backlog int      // most messages that wait
}

// startupName is what -paths calls the start of the feed, which is no path.
const startupName = "startup"

func parse(args []string) (options, error) {
	var o options
	var names, swept string
	goals := true
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.messages, "n", 100_000, "messages of a run; the start of the process counts, so not less than 100,000 for figures to keep")
	flags.IntVar(&o.payloadBytes, "payload", 200, "bytes of a message")
	flags.IntVar(&o.devices, "devices", 200, "devices that the messages come from")
	flags.IntVar(&o.pairs, "pairs", 7, "pairs of runs of each path")
	flags.IntVar(&o.rate, "rate", 2000, "messages a second of the path steady")
	flags.DurationVar(&o.runIn, "run-in", 2*time.Second, "time at that rate before it is measured")
	flags.DurationVar(&o.measured, "for", 10*time.Second, "time at that rate that is measured")
	flags.IntVar(&o.starts, "starts", 20, "starts of the feed that are measured")
	flags.StringVar(&names, "paths", strings.Join(pathNames(), ","), "what to measure")
	flags.BoolVar(&goals, "goals", true, "end with exit code 1 when a goal is missed")
	flags.StringVar(&o.docs, "docs", "docs", "folder, within the repository, for the report and its charts; empty writes neither")
	flags.BoolVar(&o.profile, "profile", false, "measure nothing: print where the feed spends its CPU time")
	flags.BoolVar(&o.flat, "flat", false, "measure no paths, but how the feed's cost changes with the load")
	flags.StringVar(&swept, "sweeps", strings.Join(sweepNames(), ","), "what to measure with -flat")
	flags.IntVar(&o.rounds, "rounds", 3, "rounds of each sweep, with -flat")
	flags.IntVar(&o.backlog, "backlog", 5_000_000, "most messages that wait, with -flat")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.withoutGoals = !goals
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.messages < 1 || o.payloadBytes < 1 || o.devices < 1 || o.pairs < 1 || o.rate < 1 || o.starts < 1 {
		return o, errors.New("-n, -payload, -devices, -pairs, -rate and -starts must be positive")
	}
	if l := o.steadyLoad(); o.runIn < 0 || l.during(o.measured) < 1 {
		return o, errors.New("-for must hold a message at least, and -run-in must not be negative")
	}
	if o.flat && o.profile {
		return o, errors.New("-flat measures and -profile does not: choose one")
	}
	// Each round takes a run's messages, and a few more until the feed has stopped.
	if least := 2 * o.rounds * o.messages; o.flat && (o.rounds < 1 || o.backlog < least) {
		return o, fmt.Errorf("-rounds must be positive and -backlog at least %d, twice what the rounds take, or -n smaller", least)
	}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		if name == startupName {
			o.startup = true
			continue
		}
		p, ok := findPath(name)
		if !ok {
			return o, fmt.Errorf("there is no path %q: there are %s", name, strings.Join(pathNames(), ", "))
		}
		o.paths = append(o.paths, p)
	}
	for name := range strings.SplitSeq(swept, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(sweepNames(), name) {
			return o, fmt.Errorf("there is no sweep %q: there are %s", name, strings.Join(sweepNames(), ", "))
		}
		o.sweeps = append(o.sweeps, name)
	}
	return o, nil
}

// pathNames returns all that -paths takes.
func pathNames() []string {
	var names []string
	for _, p := range paths() {
		names = append(names, p.name)
	}
	return append(names, startupName)
}

func (o options) steadyLoad() steadyLoad { return newSteadyLoad(o.load, o.rate, o.runIn, o.measured) }

// about says what a run of the path is.
func (o options) about(p path) string {
	if p.steady {
		return fmt.Sprintf("%v at %s messages a second, after %v to run in", o.measured, thousands(o.rate), o.runIn)
	}
	if p.perBatch > 0 {
		return fmt.Sprintf("%s readings in batches of %s, after one of a quarter to warm up", thousands(o.messages), thousands(p.perBatch))
	}
	return fmt.Sprintf("%s messages, after one of a quarter to warm up", thousands(o.messages))
}
