package amqp

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAcksAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := testSubscription(100)
		s.acks = newAcks(80, s.acknowledgeLate) // 10 may be owed
		settle := func(tags ...uint64) {
			t.Helper()
			noError(t, s.Settle(t.Context(), settlements(tags...)))
		}
		wrote := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(r.frames, want) {
				t.Errorf("%s: wrote %v, want %v", when, r.frames, want)
			}
			r.frames = nil
		}
		settle(1)
		wrote("the first after a pause", "ack 1 false")
		settle(2)
		settle(4)
		wrote("shortly after an acknowledgement")
		<-time.After(ackEvery)
		settle(3, 5, 7)
		wrote("a while after an acknowledgement", "ack 5 true", "ack 7 false")
		settle(6)
		<-time.After(ackLate)
		wrote("when nothing else was settled", "ack 6 false")
		settle(8)
		wrote("after another pause", "ack 8 false")
		for tag := range uint64(10) {
			settle(9 + tag)
		}
		wrote("while little is owed")
		settle(19)
		wrote("when much is owed", "ack 19 true")
		settle(20, 22)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		wrote("before the channel closed", "ack 20 false", "ack 22 false")
		if r.wrong != nil {
			t.Error(r.wrong)
		}
		<-time.After(time.Hour) // no timer goes on
		wrote("after the end")
	})
}

// A lost connection shows in the next settlement, although it is not written yet.
func TestSettleOnADeadLink(t *testing.T) {
	s, r := testSubscription(3)
	s.acks = newAcks(800, s.acknowledgeLate)
	noError(t, s.Settle(t.Context(), settlements(1)))
	s.link.Abort()
	if err := s.Settle(t.Context(), settlements(2)); err == nil {
		t.Error("settled on a lost connection")
	}
	if !slices.Equal(r.open, []uint64{2, 3}) {
		t.Errorf("open %v", r.open)
	}
	s.acks.stop()
}
