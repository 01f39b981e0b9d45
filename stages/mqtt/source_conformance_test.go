package mqtt

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// windowSize is the Receive Maximum of the sources under test.
const windowSize = 10

// What is left at the broker cannot be told: it keeps what was settled out of
// turn until it is acknowledged in its turn.

func TestSourceConformanceOnFake(t *testing.T) {
	feedtest.TestSource(t, func(t *testing.T) feedtest.SourceUnderTest {
		b := newFakeSession(t)
		b.start()
		source := newTestSource(t, b.url(), func(c *SourceConfig) { c.ReceiveMaximum = windowSize })
		initialize(t, source)
		return feedtest.SourceUnderTest{
			Source: source, Window: windowSize, Put: b.put,
			Break: func(t testing.TB) {
				awaitAcknowledged(t, source)
				b.current().nc.Close()
			},
		}
	})
}

func TestSourceConformanceOnMosquitto(t *testing.T) {
	t.Parallel()         // it waits most of the time
	testenv.Mosquitto(t) // says early if there is none
	feedtest.TestSource(t, func(t *testing.T) feedtest.SourceUnderTest {
		broker := testenv.Mosquitto(t)
		proxy := testenv.Proxy(t, broker.Addr)
		source := newTestSource(t, "mqtt://"+proxy.Addr, func(c *SourceConfig) { c.ReceiveMaximum = windowSize })
		initialize(t, source)
		sink := newTestSink(t, broker.URL())
		return feedtest.SourceUnderTest{
			Source: source, Window: windowSize,
			Put: func(t testing.TB, payloads ...[]byte) { put(t, sink, payloads...) },
			Break: func(t testing.TB) {
				awaitAcknowledged(t, source)
				proxy.Cut()
			},
		}
	})
}

// put publishes to plant/a.
func put(t testing.TB, sink *Sink, payloads ...[]byte) {
	t.Helper()
	var all []*message.Message
	for _, p := range payloads {
		all = append(all, &message.Message{Payload: p, Metadata: message.Metadata{feed.MetaTopic: "plant/a"}})
	}
	if err := sink.Publish("", all...); err != nil {
		t.Fatal(err)
	}
}

// initialize opens the session, so that the broker keeps what is published.
func initialize(t testing.TB, s *Source) {
	t.Helper()
	if err := s.SubscribeInitialize(""); err != nil {
		t.Fatal(err)
	}
}

// awaitAcknowledged returns when the broker has read the PUBACKs that were
// written: when it has answered a ping behind them.
func awaitAcknowledged(t testing.TB, s *Source) {
	t.Helper()
	s.mu.Lock()
	sub := s.sessions["consumer"].current
	s.mu.Unlock()
	pongs, err := sub.ping(true)
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, time.Minute, "the answer to a ping", func() bool {
		sub.mu.Lock()
		defer sub.mu.Unlock()
		return sub.pongs >= pongs
	})
}
