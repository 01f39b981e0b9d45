package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// steadyLoad is a load that comes evenly.
type steadyLoad struct {
	load         // its number of messages follows from the rest
	rate     int // messages a second
	runIn    time.Duration
	measured time.Duration // after the run-in
}

// newSteadyLoad takes all but the number of messages from l.
func newSteadyLoad(l load, rate int, runIn, measured time.Duration) steadyLoad {
	s := steadyLoad{load: l, rate: rate, runIn: runIn, measured: measured}
	s.messages = s.during(runIn) + s.during(measured)
	return s
}

func (l steadyLoad) during(d time.Duration) int {
	return int(int64(l.rate) * int64(d) / int64(time.Second))
}

// maxDelay is how late the gateway may be at the end of a run, on a machine
// that is too busy for the rate.
const maxDelay = time.Second

// carrySteady has a competitor carry messages as they come, and measures it
// from the end of the run-in on.
func (s *stand) carrySteady(ctx context.Context, p path, c competitor, l steadyLoad) (measurement, error) {
	label := p.name + ", " + c.name + ": "
	clock := newClock()
	arrived, err := followArrivals(ctx, s.servers.mosquitto.Addr(), clock)
	if err != nil {
		return measurement{}, err
	}
	sample := sampler{clock: clock, load: l}
	var sent *published
	m, err := c.empty(ctx, s.env(p), func(ctx context.Context, pid int) error {
		sample.pid = pid
		var err error
		sent, err = s.publishEvenly(ctx, p, &sample, func(done int) { s.progress.count(label+"running", done, l.messages) })
		if err != nil {
			return err
		}
		awaitTally(ctx, arrived.tally, l.messages)
		return s.queues(p).await(ctx, 0, func(int) {})
	})
	arrived.close()
	if err != nil {
		return m, err
	}
	duplicates, err := arrived.account(sent)
	if err != nil {
		return m, err
	}
	s.progress.say(label + "checking")
	if err := s.mqtt.count(ctx, l.messages+duplicates); err != nil {
		return m, err
	}
	return measurement{
		messages: l.during(l.measured), elapsed: sample.to.Sub(sample.from), cpu: sample.cpuTo - sample.cpuFrom,
		peak: m.peak, latency: latenciesOf(arrived.since(sample.from)), duplicates: duplicates,
	}, nil
}

// publishEvenly publishes the load, each reading at its time and with the time
// at which it is sent.
func (s *stand) publishEvenly(ctx context.Context, p path, sample *sampler, progress func(done int)) (*published, error) {
	l := sample.load
	readings, err := l.readings(sample.stamp)
	if err != nil {
		return nil, err
	}
	// The first message is due when the connection is asked for, which takes a
	// few milliseconds of the run-in.
	begin := time.Now()
	sent := &published{messages: l.messages, tally: witness.NewTally()}
	err = s.queues(p).publish(ctx, sent.tally, l.rate, func() (witness.Reading, bool) {
		r, ok := readings()
		if !ok {
			sample.end()
		}
		progress(sample.sent)
		return r, ok
	})
	if err := errors.Join(err, sample.err); err != nil {
		return nil, fmt.Errorf("publish at a steady rate: %w", err)
	}
	if late := sample.to.Sub(sample.clock.at(begin)) - l.runIn - l.measured; late > maxDelay {
		return nil, fmt.Errorf("publish at a steady rate: the machine is too busy for %d messages a second: the last was %v late", l.rate, late)
	}
	return sent, nil
}

// sampler stamps readings with the time at which they are sent, and takes the
// CPU time of a process at the end of the run-in and at the end.
type sampler struct {
	clock clock
	load  steadyLoad
	pid   int

	sent           int
	from, to       time.Time // what is measured
	cpuFrom, cpuTo time.Duration
	err            error
}

func (s *sampler) stamp(r *reading.Reading) {
	if s.sent == s.load.during(s.load.runIn) {
		s.cpuFrom, s.from = s.look()
	}
	s.sent++
	r.Time = s.clock.now().UnixNano()
}

func (s *sampler) end() { s.cpuTo, s.to = s.look() }

func (s *sampler) look() (time.Duration, time.Time) {
	cpu, err := cpuTime(s.pid)
	s.err = errors.Join(s.err, err)
	return cpu, s.clock.now()
}
