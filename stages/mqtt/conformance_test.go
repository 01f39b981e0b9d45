package mqtt

import (
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	mochipackets "github.com/mochi-mqtt/server/v2/packets"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

func topic(n int) string { return "plant/" + string(rune('a'+n)) }

func wildcard() *message.Message {
	return &message.Message{Payload: []byte("never"), Metadata: message.Metadata{feed.MetaTopic: "plant/+"}}
}

func TestConformanceOnFake(t *testing.T) {
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		b := newFake(t).start()
		return feedtest.SinkUnderTest{
			Sink: newTestSink(t, b.url()), Topic: topic, Refused: wildcard, KeepsMetadata: true,
			Stored: func(t testing.TB, n int) []feedtest.Stored {
				var all []feedtest.Stored
				for _, p := range b.published() {
					m := map[string]string{}
					for _, u := range p.Properties.User {
						m[u.Key] = u.Value
					}
					all = append(all, feedtest.Stored{Topic: p.Topic, Payload: p.Payload, Metadata: m})
				}
				return all
			},
		}
	})
}

func TestConformanceOnMosquitto(t *testing.T) {
	testenv.Mosquitto(t) // says early if there is none
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		broker := testenv.Mosquitto(t)
		subs := []*subscriber{subscribe(t, broker.Addr, nil)}
		return feedtest.SinkUnderTest{
			Sink: newTestSink(t, broker.URL()), Topic: topic, Refused: wildcard, KeepsMetadata: true,
			Stored: func(t testing.TB, n int) []feedtest.Stored { return stored(subs, n) },
			Down:   func(t testing.TB) { broker.Stop(); <-subs[0].lost },
			Up: func(t testing.TB) {
				broker.Start()
				subs = append(subs, subscribe(t, broker.Addr, nil))
			},
		}
	})
}

func TestConformanceOnMochi(t *testing.T) {
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		addr := startMochi(t)
		subs := []*subscriber{subscribeMochi(t, addr)}
		return feedtest.SinkUnderTest{
			Sink: newTestSink(t, "mqtt://"+addr), Topic: topic, Refused: wildcard, KeepsMetadata: true,
			Stored: func(t testing.TB, n int) []feedtest.Stored { return stored(subs, n) },
		}
	})
}

// stored returns what all subs together have received, once it is n messages.
func stored(subs []*subscriber, n int) []feedtest.Stored {
	var all []feedtest.Stored
	for i, s := range subs {
		want := n - len(all)
		if i < len(subs)-1 {
			want = 0 // it has lost its connection
		}
		got := s.wait(want)
		for _, p := range got {
			m := map[string]string{}
			for _, u := range p.Properties.User {
				m[u.Key] = u.Value
			}
			all = append(all, feedtest.Stored{Topic: p.Topic, Payload: p.Payload, Metadata: m})
		}
	}
	return all
}

// startMochi starts an embedded broker with limits that do not matter, and
// returns its address.
func startMochi(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumInflight, c.ReceiveMaximum = 65535, 65535
	c.MaximumClientWritesPending = 1 << 20
	s := mochi.New(&mochi.Options{Capabilities: c, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := s.AddHook(new(allowAll), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.AddListener(listeners.NewNet("test", ln)); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// subscribeMochi subscribes with QoS 0: mochi 2.7.9 takes a read lock twice for
// each acknowledgement of a subscriber, and stands still for ever when somebody
// wants the write lock in between.
func subscribeMochi(t testing.TB, addr string) *subscriber {
	return subscribeQoS(t, addr, nil, 0)
}

// allowAll lets anyone do anything.
type allowAll struct{ mochi.HookBase }

func (*allowAll) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (*allowAll) OnConnectAuthenticate(*mochi.Client, mochipackets.Packet) bool { return true }
func (*allowAll) OnACLCheck(*mochi.Client, string, bool) bool                   { return true }

func TestMochiKeepsOrder(t *testing.T) {
	addr := startMochi(t)
	sub := subscribeMochi(t, addr)
	s := newTestSink(t, "mqtt://"+addr)
	if err := publish(t, s, numbered(5000)...); err != nil {
		t.Fatal(err)
	}
	sub.expect(t, 0, 5000)
}
