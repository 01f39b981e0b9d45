package main

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/generate"
)

// TestSampler makes readings at a rate and looks at what they carry, and at
// what is measured.
func TestSampler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newSteadyLoad(load{payloadBytes: 100, devices: 3}, 100, time.Second, 2*time.Second)
		s := sampler{clock: newClock(), load: l, pid: os.Getpid()}
		begin := s.clock.now()
		next, err := l.readings(s.stamp)
		if err != nil {
			t.Fatal(err)
		}
		a := &arrivals{clock: s.clock, tally: witness.NewTally()}
		published := &published{messages: l.messages, tally: witness.NewTally()}
		for i := range 300 {
			r, ok := next()
			if !ok {
				t.Fatalf("ended after %d", i)
			}
			published.tally.Add(r.Device, r.Seq)
			time.Sleep(10 * time.Millisecond) // of fake time
			a.note(r.Payload)
			if i == 200 {
				a.note(r.Payload) // again
			}
			parsed, err := generate.ParseReading(r.Payload)
			if err != nil {
				t.Fatal(err)
			}
			if want := begin.Add(time.Duration(i) * 10 * time.Millisecond); !parsed.At().Equal(want) {
				t.Fatalf("reading %d was sent at %v, want %v", i, parsed.At(), want)
			}
		}
		if _, ok := next(); ok {
			t.Error("more readings than the load has")
		}
		s.end()
		if s.err != nil || s.from.Sub(begin) != time.Second || s.to.Sub(s.from) != 2*time.Second || s.cpuTo < s.cpuFrom || s.cpuFrom <= 0 {
			t.Errorf("sampled %+v", s)
		}
		taken := a.since(s.from)
		if len(taken) != 200 {
			t.Fatalf("%d were measured, want 200", len(taken))
		}
		if l := latenciesOf(taken); l != (latencies{10 * time.Millisecond, 10 * time.Millisecond, 10 * time.Millisecond}) {
			t.Errorf("took %v", l)
		}
		if duplicates, err := a.account(published); err != nil || duplicates != 1 {
			t.Errorf("%d duplicates, %v", duplicates, err)
		}
		published.tally.Add("device0001", 1000)
		if _, err := a.account(published); err == nil {
			t.Error("what is missing is not noticed")
		}
	})
}

func TestSamplerOfAnEndedProcess(t *testing.T) {
	s := sampler{clock: newClock(), pid: 1 << 30}
	s.end()
	if s.err == nil {
		t.Error("no error")
	}
}
