package mqtt

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// What was settled out of turn is remembered over a connection on which it did
// not come again, in whatever way that ended.
func TestSettledOutOfTurnOutlivesAShortConnection(t *testing.T) {
	cut := func(t *testing.T, sub *subscription) {
		sub.fail(errors.New("no answer to a ping"))
		if err := sub.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, between := range map[string]func(*testing.T, *fakeSession, *Source){
		"closed at once": func(t *testing.T, _ *fakeSession, s *Source) {
			if err := mustSubscribe(t, s).Close(); err != nil {
				t.Fatal(err)
			}
		},
		"cut after one delivery": func(t *testing.T, _ *fakeSession, s *Source) {
			sub := mustSubscribe(t, s)
			receive(t, sub, 1)
			cut(t, sub)
		},
		"cut after one was acknowledged": func(t *testing.T, b *fakeSession, s *Source) {
			sub := mustSubscribe(t, s)
			settle(t, sub, receive(t, sub, 1)...)
			testenv.Eventually(t, time.Minute, "the acknowledgement and the next delivery", func() bool {
				n, _ := sub.box.Holds()
				return b.left(t) == 5 && n > 0
			})
			cut(t, sub)
			b.put(t, []byte("0"))
		},
		"refused": func(t *testing.T, b *fakeSession, s *Source) {
			b.answerWith(func(packets.SubOptions) byte { return 0x97 })
			defer b.answerWith(nil)
			if _, err := s.subscribe(testContext(t), ""); err == nil || !strings.Contains(err.Error(), "quota") {
				t.Fatalf("subscribe: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFakeSession(t)
			b.exists = true
			b.put(t, numberedPayloads(6)...)
			b.start()
			s := newTestSource(t, b.url(), func(c *SourceConfig) {
				if name != "refused" {
					c.ReadAhead = 1 // the reader waits with the second delivery
				}
			})
			sub := mustSubscribe(t, s)
			ds := receive(t, sub, 6)
			settle(t, sub, ds[1], ds[3], ds[5])
			if err := sub.Close(); err != nil {
				t.Fatal(err)
			}
			between(t, b, s)
			sub = mustSubscribe(t, s)
			again := receive(t, sub, 3)
			got := payloads(again)
			slices.Sort(got)
			if !slices.Equal(got, []string{"0", "2", "4"}) {
				t.Errorf("got %v again", got)
			}
			settle(t, sub, again...)
		})
	}
}

// A message with QoS 0 that comes before what is sent again says nothing of it.
func TestQoS0DoesNotEndTheMemory(t *testing.T) {
	d := &delivery{id: 5, duplicate: true, topic: "t", payload: []byte("x")}
	m := settledBefore{5: d.sum()}
	if m.takes(&delivery{topic: "t", payload: []byte("x")}) || !m.takes(d) {
		t.Error("not taken after a message with QoS 0")
	}
}

// Whether a session began or was lost is counted: the first one of a process
// cannot be known to have been lost.
func TestSessionsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := newFakeSession(t), &testLog{}
		s := pipedSource(t, b, log)
		reopen := func() {
			t.Helper()
			if err := openSession(t, s).Close(); err != nil {
				t.Fatal(err)
			}
		}
		reopen()
		if !log.has("level=INFO") || !log.has("if the feed has run with this clientId before") {
			t.Errorf("log: %s", log)
		}
		reopen() // it is there
		for range 2 {
			b.smu.Lock()
			b.expired = true
			b.smu.Unlock()
			reopen()
		}
		e := s.Events()
		if e[eventConnected] != 4 || e[eventSessionNew] != 1 || e[eventSessionLost] != 2 || e[eventConnectionLost] != 0 {
			t.Errorf("events %v", e)
		}
		s.Close()
		b.tasks.Wait()
	})
}
