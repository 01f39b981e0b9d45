package validator

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

func TestConformance(t *testing.T) {
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		r := newRig(t, nil)
		return feedtest.SinkUnderTest{
			Sink:  r.Sink,
			Topic: func(int) string { return "readings" },
			Payload: func(n, size int) []byte {
				x := every(1, "press7", noon, n)[n-1]
				x.Value = reading.OfText(strings.Repeat("x", size))
				return x.AppendJSON(nil)
			},
			Stored: func(t testing.TB, _ int) (all []feedtest.Stored) {
				for _, x := range observed(t, r) {
					all = append(all, feedtest.Stored{Topic: "readings", Payload: x.AppendJSON(nil)})
				}
				return all
			},
			Refused: func() *message.Message { return message.NewMessage("", []byte(`{"device":"press7"}`)) },
		}
	})
}

// What is kept is an observation like any other.
func TestSideConformance(t *testing.T) {
	validatetest.TestSide(t, func(t *testing.T) validatetest.SideUnderTest {
		r := newRig(t, nil)
		put := func(t testing.TB, rs ...reading.Reading) { r.store(t, rs...) }
		return validatetest.SideUnderTest{
			Side:     &side{store: r.kept.Load().store},
			Put:      put,
			PutTwice: func(t testing.TB, x reading.Reading) { put(t, x, x) },
			PutUnreadable: func(t testing.TB) {
				put(t, every(1, "press7", validatetest.Noon, 3)...)
				damage(t, r, -5)
			},
			Many: 2*maxBlock + 1,
		}
	})
}

// damage changes a byte of the last segment, before its end.
func damage(t testing.TB, r *rig, at int64) {
	t.Helper()
	_, end := r.kept.Load().store.snapshot()
	name := filepath.Join(r.config.Path, segmentName(end.Segment))
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[end.Offset+at] ^= 0x10
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Copies are kept, in their order, with the time at which they came.
func TestCopiesOrderAndArrival(t *testing.T) {
	r := newRig(t, nil)
	rs := every(1, "press7", noon, 3)
	r.store(t, rs[2], rs[0], rs[0])
	r.clock.add(1)
	r.store(t, rs[0])
	var got bytes.Buffer
	for _, x := range observed(t, r) {
		fmt.Fprintf(&got, "%d at %d, %s\n", x.Seq, x.Arrived-noon.UnixNano(), x.Place)
	}
	const want = `3 at 0, 00000001.readings:1
1 at 0, 00000001.readings:2
1 at 0, 00000001.readings:3
1 at 1, 00000001.readings:4
`
	if got.String() != want {
		t.Errorf("stored is\n%s\nwant\n%s", got.String(), want)
	}
}

// In a test of a configuration nothing is written, and nothing runs.
func TestTrial(t *testing.T) {
	c := DefaultConfig()
	c.Path, c.Expect = filepath.Join(t.TempDir(), "none"), truth(&watched{})
	s, err := NewSink(c, feed.StageEnv{Trial: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PublishBatch(t.Context(), feed.NewBatch(messages(every(1, "press7", noon, 3)...)...)); err != nil {
		t.Error(err)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.Path); !os.IsNotExist(err) {
		t.Errorf("%s: %v, want none", c.Path, err)
	}
}
