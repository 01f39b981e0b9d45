package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

// simulationReport is the outcome of a simulation. Its JSON keys are stable.
type simulationReport struct {
	Complete bool     `json:"complete"`           // all that was made has been taken
	Problems []string `json:"problems,omitempty"` // why not

	Start   time.Time `json:"start"` // with seed and the same flags it makes the same batches again
	Seed    int64     `json:"seed"`
	Seconds float64   `json:"seconds"`
	Rate    float64   `json:"rate"` // readings a second

	Batches  uint64            `json:"batches"`  // of the devices
	Readings uint64            `json:"readings"` // in them
	Sinks    []simulatedReport `json:"sinks"`
}

// simulatedReport is what became of what was made for one sink.
type simulatedReport struct {
	Name       string          `json:"name"` // amqp or api
	Made       simulate.Report `json:"made"`
	Deliveries feed.Account    `json:"deliveries"`
	Balances   bool            `json:"balances"`
	Retries    uint64          `json:"retries"`
}

// report says what became of it all.
func (s *simulating) report() *simulationReport {
	c := s.options.source
	r := &simulationReport{Seed: c.Seed, Seconds: s.lasted.Seconds()}
	r.Start, _ = time.Parse(time.RFC3339Nano, c.Start) //nolint:errcheck // it was validated
	for _, route := range s.feed.Status().Routes {
		one := simulatedReport{Name: route.Name, Made: s.sources[route.Name].Report(), Deliveries: route.Deliveries, Retries: route.Retries}
		err := route.Deliveries.Check()
		if one.Balances = err == nil; err != nil {
			r.problem("%s: %v", one.Name, err)
		}
		if taken := route.Deliveries.Delivered; taken != one.Made.Messages {
			r.problem("%s: %d of %d messages were taken", one.Name, taken, one.Made.Messages)
		}
		r.Batches, r.Readings = max(r.Batches, one.Made.Batches), max(r.Readings, one.Made.Readings)
		r.Sinks = append(r.Sinks, one)
	}
	for _, one := range r.Sinks {
		if one.Made.Batches != r.Batches {
			r.problem("%s: %d of %d batches were sent", one.Name, one.Made.Batches, r.Batches)
		}
	}
	if r.Readings == 0 {
		r.problem("nothing was made: no sink has taken anything")
	}
	if r.Seconds > 0 {
		r.Rate = float64(r.Readings) / r.Seconds
	}
	r.Complete = len(r.Problems) == 0
	return r
}

func (r *simulationReport) problem(format string, a ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, a...))
}

func (c *cli) writeSimulation(r *simulationReport, asJSON bool) error {
	if asJSON {
		return writeJSON(c.stdout, r)
	}
	fmt.Fprintf(c.stdout, "%d readings in %d batches, in %.1f s (%.0f readings/s)\n", r.Readings, r.Batches, r.Seconds, r.Rate)
	fmt.Fprintf(c.stdout, "again with --seed %d --start %s\n\n", r.Seed, r.Start.Format(time.RFC3339Nano))
	rows := [][]string{{"SINK", "MESSAGES", "TAKEN", "REFUSED", "UNCONFIRMED", "SENT AGAIN"}}
	for _, s := range r.Sinks {
		refused := feed.Total(s.Deliveries.Quarantined)
		rows = append(rows, []string{s.Name, count(s.Made.Messages), count(s.Deliveries.Delivered), count(refused), count(s.Made.Messages - s.Deliveries.Delivered - refused), count(s.Retries)})
	}
	if err := writeTable(c.stdout, rows); err != nil {
		return err
	}
	for _, s := range r.Sinks {
		if wrong := chaosDone(s.Made); wrong != "" {
			fmt.Fprintf(c.stdout, "\nwrong on purpose, to %s: %s\n", s.Name, wrong)
		}
	}
	for _, p := range r.Problems {
		fmt.Fprintln(c.stdout, "\n"+p)
	}
	return nil
}

// chaosDone lists what went wrong on purpose.
func chaosDone(r simulate.Report) string {
	var parts []string
	for _, p := range []struct {
		n    uint64
		what string
	}{
		{r.BitFlips, "with a flipped bit"}, {r.Truncated, "cut short"}, {r.WrongCounts, "with a wrong count"}, {r.Bombs, "bombs"},
		{r.Garbage, "garbage"}, {r.Duplicates, "repeated"}, {r.Reordered, "late"}, {r.Conflicts, "conflicting"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(parts, ", ")
}
