package amqp

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
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

// What was settled and not acknowledged when the link was lost is reported, each
// delivery once.
func TestLostSettlementsAreReported(t *testing.T) {
	s, r := testSubscription(5)
	s.acks = newAcks(800, s.acknowledgeLate)
	for tag := range uint64(3) {
		noError(t, s.Settle(t.Context(), settlements(tag+1)))
	}
	s.link.Abort()
	r.fail = amqp091.ErrClosed
	if err := s.Settle(t.Context(), settlements(4)); err == nil {
		t.Error("settled on a lost connection")
	}
	var lost *feed.SettleLostError
	if err := s.Close(); !errors.As(err, &lost) || lost.Settled != 2 || !errors.Is(err, amqp091.ErrClosed) {
		t.Errorf("close: %v; want the settlements of 2 and 3 lost", err)
	}
	if !slices.Equal(r.open, []uint64{2, 3, 4, 5}) {
		t.Errorf("open %v", r.open)
	}
}

// When the write of several settlements fails, those of the failing call are
// not reported again.
func TestLostSettlementsOfAFailedWrite(t *testing.T) {
	s, r := testSubscription(5)
	s.acks = newAcks(8, s.acknowledgeLate) // one may be owed
	noError(t, s.Settle(t.Context(), settlements(1)))
	noError(t, s.Settle(t.Context(), settlements(3)))
	r.fail = amqp091.ErrClosed
	if err := s.Settle(t.Context(), settlements(2, 4)); err == nil {
		t.Error("settled without an acknowledgement")
	}
	var lost *feed.SettleLostError
	if err := s.Close(); !errors.As(err, &lost) || lost.Settled != 1 {
		t.Errorf("close: %v; want the settlement of 3 lost", err)
	}
}
