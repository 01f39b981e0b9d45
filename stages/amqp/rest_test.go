package amqp

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

func TestReaderRestsWhileDeliveriesComeOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var marks []int
		r := rest{lowWater: func(bytes int) { marks = append(marks, bytes) }}
		rested := func() time.Duration {
			begin := time.Now()
			r.take()
			return time.Since(begin)
		}
		for _, c := range []struct {
			when string
			took time.Duration
			full bool
			want time.Duration
		}{
			{"deliveries come often", time.Millisecond, false, restFor},
			{"some were there after the rest", 0, false, restFor},
			{"more is there already", 0, true, 0},
			{"deliveries come seldom", restFor / 2, false, 0},
			{"often again", restFor/2 - 1, false, restFor},
		} {
			marks = nil
			r.read(c.took, c.full)
			if got := rested(); got != c.want {
				t.Errorf("%s: rested for %v, want %v", c.when, got, c.want)
			}
			if woken := len(marks) == 0; woken != (c.want == 0) || len(marks) > 0 && (marks[0] != restBytes || marks[len(marks)-1] != 1) {
				t.Errorf("%s: low-water marks %v", c.when, marks)
			}
		}
	})
}

// A socket that has brought something to an inbox that does not rest is read on
// at once.
func TestOnlyRestingInboxesMayRest(t *testing.T) {
	s := newSplitter()
	if s.mayRest() {
		t.Error("it rests with nothing taken out: the library waits for an answer")
	}
	patient, hasty := newInbox(feed.MiB), newInbox(feed.MiB)
	patient.rests = true
	s.fed = append(s.fed, patient)
	if !s.mayRest() {
		t.Error("it does not rest")
	}
	s.fed = append(s.fed, hasty)
	if s.mayRest() {
		t.Error("it rests although one of the inboxes does not")
	}
	s.announce()
	if len(s.fed) > 0 || len(patient.Wake()) != 1 || len(hasty.Wake()) != 1 {
		t.Errorf("%d to signal, %d and %d signals", len(s.fed), len(patient.Wake()), len(hasty.Wake()))
	}
}

// While one consumer's inbox is full, another's deliveries are not kept from it.
func TestAFullInboxAnnouncesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSplitter()
		full, other := newInbox(10), newInbox(10)
		s.fed = append(s.fed, full, other)
		full.Put(&delivery{tag: 1, body: make([]byte, 10)}, s.announce)
		other.Put(&delivery{tag: 1, body: make([]byte, 10)}, s.announce)
		blocked := make(chan struct{})
		go func() {
			full.Put(&delivery{tag: 2, body: make([]byte, 10)}, s.announce)
			close(blocked)
		}()
		synctest.Wait()
		if len(full.Wake()) != 1 || len(other.Wake()) != 1 {
			t.Errorf("%d and %d signals", len(full.Wake()), len(other.Wake()))
		}
		for _, box := range []*inbox{other, full, full} { // the last time for the put that waited
			got, err := box.Take(t.Context(), nil, 10)
			if err != nil || len(got) != 1 {
				t.Fatalf("%d deliveries, %v", len(got), err)
			}
		}
		<-blocked
	})
}

func TestLowWaterMarkOfAPipe(t *testing.T) {
	near, far := net.Pipe()
	if lowWaterMark(near) != nil {
		t.Error("a pipe has a low-water mark")
	}
	_, _ = near.Close(), far.Close()
}
