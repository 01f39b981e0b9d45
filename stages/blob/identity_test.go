package blob

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

const door = `{"door":"open"}`

func withoutID(payload string) *message.Message {
	m := msg(payload)
	m.UUID = ""
	return m
}

// Batches that say the same are different batches: each is stored.
func TestEqualBatchesAreAllStored(t *testing.T) {
	withID := func(id string) *message.Message {
		m := msg(door)
		m.UUID = id
		return m
	}
	at := func(d time.Duration, m *message.Message) *feed.Batch {
		return &feed.Batch{Messages: []*message.Message{m}, Received: received.Add(d)}
	}
	for name, batches := range map[string][]*feed.Batch{
		"received one after the other": {at(0, withoutID(door)), at(1, withoutID(door)), at(time.Second, withoutID(door))},
		"received together":            {at(0, withID("1")), at(0, withID("2")), at(0, withID("3"))},
		"of unknown receipt":           {{Messages: batch(withoutID(door)).Messages}, {Messages: batch(withoutID(door)).Messages}, feed.NewBatch(withoutID(door))},
	} {
		for _, c := range []Compression{Plain, Gzip, Zstd} {
			t.Run(name+"/"+string(c), func(t *testing.T) {
				cfg := dirConfig(t.TempDir())
				cfg.Compression = c
				s := openSink(t, cfg)
				for _, b := range batches {
					if err := s.PublishBatch(t.Context(), b); err != nil {
						t.Fatal(err)
					}
				}
				all := contents(t, cfg, "")
				for name, text := range all {
					if text != door+"\n" {
						t.Errorf("%s holds %q", name, text)
					}
				}
				if len(all) != len(batches) {
					t.Errorf("%d objects for %d batches", len(all), len(batches))
				}
			})
		}
	}
}

func TestEqualPublishesAreAllStored(t *testing.T) {
	cfg := dirConfig(t.TempDir())
	s := openSink(t, cfg)
	for range 3 {
		if err := s.Publish("press", withoutID(door)); err != nil {
			t.Fatal(err)
		}
	}
	if all := contents(t, cfg, ""); len(all) != 3 {
		t.Errorf("%d objects, want 3", len(all))
	}
}

// Objects of one batch that say the same are different objects, too.
func TestEqualPartsAreAllStored(t *testing.T) {
	cfg := dirConfig(t.TempDir())
	cfg.MaxObjectBytes = feed.KiB
	s := openSink(t, cfg)
	large := `"` + strings.Repeat("x", 1024) + `"`
	b := batch(withoutID(large), withoutID(large), withoutID(large))
	for range 2 { // the second time is a retry
		if err := s.PublishBatch(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if all := contents(t, cfg, ""); len(all) != 3 {
		t.Errorf("%d objects, want 3", len(all))
	}
}

// A batch whose answer was lost is found again, although the retry has no
// longer the message that failed by itself, and is not stored twice.
func TestRetryKeepsTheName(t *testing.T) {
	st := newFakeStore()
	lost := fault(failUnknown)
	st.after = func(string) error { e := lost; lost = nil; return e }
	st.statErr = fault(failUnavailable)
	s := fakeSink(t, st, nil)
	err := s.PublishBatch(t.Context(), batch(msg(door), msg(`{`), msg(`1`)))
	var be *feed.BatchError
	if !errors.As(err, &be) || len(be.Failures) != 3 {
		t.Fatalf("err = %v, want three failures", err)
	}
	st.statErr = nil
	for range 2 {
		if err := s.PublishBatch(t.Context(), batch(msg(door), msg(`1`))); err != nil {
			t.Fatal(err)
		}
	}
	if len(st.objects) != 1 || st.text() != door+"\n1\n" {
		t.Errorf("stored %q in %d objects", st.text(), len(st.objects))
	}
	if names := slices.Compact(st.creates); len(names) != 1 {
		t.Errorf("tried as %q", names)
	}
}

// What is compared when a name is taken is the hash of the content alone.
func TestNameIsNotTheContentHash(t *testing.T) {
	st := newFakeStore()
	s := fakeSink(t, st, nil)
	if err := s.PublishBatch(t.Context(), batch(msg(door))); err != nil {
		t.Fatal(err)
	}
	for name, o := range st.objects {
		if o.hash != contentHash(o.data) {
			t.Errorf("hash %s of %q", o.hash, o.data)
		}
		if strings.Contains(name, o.hash[:hashLen]) {
			t.Errorf("%s is named by its content alone", name)
		}
	}
}
