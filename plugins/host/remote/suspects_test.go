package remote

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

func delivered(payload, count string) *message.Message {
	return &message.Message{UUID: "id", Payload: message.Payload(payload), Metadata: message.Metadata{"topic": "t", "x-delivery-count": count}}
}

// A message is known by what is in it, when it comes again, too; others are not taken
// for it.
func TestSuspectsAreKnownByContent(t *testing.T) {
	s := newSuspects()
	if err := s.died(s.keys(delivered("a", "1"), delivered("b", "1")), false, nil); err != nil {
		t.Fatal(err)
	}
	elsewhere := delivered("b", "1")
	elsewhere.Metadata["topic"] = "u"
	called := delivered("b", "1")
	called.UUID = "other"
	if n, suspect := s.isolated([]*message.Message{elsewhere, called, delivered("c", "1"), delivered("b", "2"), delivered("d", "1")}); n != 3 || suspect {
		t.Errorf("%d go first, suspect %v; want the three before the suspect", n, suspect)
	}
	if n, suspect := s.isolated([]*message.Message{delivered("a", "2"), delivered("b", "2")}); n != 1 || !suspect {
		t.Errorf("%d go first, suspect %v; want one suspect", n, suspect)
	}
}

// What never comes again is forgotten at some time, and before that it does not become
// much.
func TestSuspectsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSuspects()
		note := func(keys ...uint64) {
			if err := s.died(keys, false, nil); err != nil {
				t.Error(err)
			}
		}
		note(1)
		time.Sleep(remembered) // of fake time
		if s.none() {
			t.Errorf("nothing is suspected after %v", remembered)
		}
		note(2)
		time.Sleep(remembered) // of fake time
		if !s.has(1) || s.none() {
			t.Error("the first is forgotten, after another death")
		}
		time.Sleep(time.Second) // of fake time
		if !s.none() {
			t.Errorf("%d are suspected after %v and a second", len(s.deaths), remembered)
		}
	})
	s := newSuspects()
	for from := uint64(0); from < 3*mostSuspects; from += 1 << 14 {
		keys := make([]uint64, 1<<14)
		for i := range keys {
			keys[i] = from + uint64(i)
		}
		if err := s.died(keys, false, nil); err != nil {
			t.Fatal(err)
		}
		if !s.has(from) || len(s.deaths) > mostSuspects {
			t.Fatalf("%d are suspected, of the latest ones %v", len(s.deaths), s.has(from))
		}
	}
}
