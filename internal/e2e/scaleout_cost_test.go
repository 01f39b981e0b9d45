package e2e_test

import (
	"flag"
	"slices"
	"syscall"
	"testing"
	"time"
)

var (
	costReadings = flag.Int("scaleout-readings", 8_000, "readings in each run of TestScaleOutCost")
	costRounds   = flag.Int("scaleout-rounds", 1, "how often TestScaleOutCost runs each layout; medians are told of more than one")
)

// cost is what one run of a layout took.
type cost struct {
	cpu  time.Duration // user and system time of all processes, from start to end
	took time.Duration // from the start of the processes until everything had arrived
}

// TestScaleOutCost lets each layout empty queues that hold the same readings,
// and tells what it costs beside one process. It judges nothing but that
// everything arrived once: the brokers share the machine's cores.
func TestScaleOutCost(t *testing.T) {
	layouts := []struct {
		name string
		of   func(*site) []*feedProcess
	}{
		{"1 process", func(s *site) []*feedProcess { return s.competing(1) }},
		{"2 competing", func(s *site) []*feedProcess { return s.competing(2) }},
		{"3 competing", func(s *site) []*feedProcess { return s.competing(3) }},
		{"4 shards", func(s *site) []*feedProcess { return s.shards("a") }},
	}
	costs := make([][]cost, len(layouts))
	for range *costRounds {
		for i, layout := range layouts {
			if !t.Run(layout.name, func(t *testing.T) {
				s := newSite(t)
				costs[i] = append(costs[i], s.cost(layout.of(s)))
			}) {
				return // a failed run says nothing about cost
			}
		}
	}
	if len(costs[0]) == 0 {
		return // with -short there are no servers, and nothing was measured
	}
	perMessages := float64(*costReadings) / 100_000
	for i, layout := range layouts {
		// Ratios are taken round by round, so that what changes slowly on the
		// machine cancels out.
		var cpu, rate, cpuRatio, rateRatio []float64
		for round, c := range costs[i] {
			one := costs[0][round]
			cpu = append(cpu, c.cpu.Seconds()/perMessages)
			rate = append(rate, float64(*costReadings)/c.took.Seconds())
			cpuRatio = append(cpuRatio, c.cpu.Seconds()/one.cpu.Seconds())
			rateRatio = append(rateRatio, one.took.Seconds()/c.took.Seconds())
		}
		t.Logf("%-12s CPU %.2f s per 100,000 over all processes, %.2f of one process; rate %.0f/s, %.2f of one process",
			layout.name, median(cpu), median(cpuRatio), median(rate), median(rateRatio))
	}
}

// cost fills the queues of a layout, and lets it empty them.
func (s *site) cost(layout []*feedProcess) cost {
	s.t.Helper()
	// The first process declares everything, and leaves before there is anything
	// to do.
	layout[0].start()
	layout[0].ready()
	stopAll(s.t, layout[:1])
	if err := s.factory.Publish(s.t.Context(), readings(*costReadings)); err != nil {
		s.t.Fatal(err)
	}

	before, begin := cpuOfChildren(s.t), time.Now()
	for _, p := range layout {
		p.start()
	}
	s.await("MQTT", s.mqtt, uint64(*costReadings), 2*time.Minute)
	took := time.Since(begin)
	for _, p := range layout {
		p.ready() // one that found nothing left to do may still be starting
	}
	stopAll(s.t, layout)
	s.expect("MQTT", s.mqtt, 0)
	return cost{cpu: cpuOfChildren(s.t) - before, took: took}
}

// cpuOfChildren is the CPU time of all child processes that have ended.
func cpuOfChildren(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// median of an odd or even number of values; the upper one of two.
func median(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
