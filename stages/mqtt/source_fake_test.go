package mqtt

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

// fakeSession is a broker with the session of one subscriber. It checks that
// PUBACKs come in the order of the publishes.
type fakeSession struct {
	*fakeBroker

	smu     sync.Mutex
	conn    *fakeConn // the last one
	filters []packets.SubOptions
	exists  bool
	window  int
	queue   []*packets.Publish // not sent yet
	flight  []*packets.Publish // sent and not acknowledged
	lastID  uint16

	suback  func(packets.SubOptions) byte // nil: granted with QoS 1
	expired bool                          // the broker forgets the session before the next connect
}

func newFakeSession(t testing.TB) *fakeSession {
	s := &fakeSession{fakeBroker: newFake(t)}
	s.onConnect = s.connected
	s.onOther = s.other
	return s
}

func (s *fakeSession) connected(c *fakeConn, p *packets.Connect) {
	s.smu.Lock()
	defer s.smu.Unlock()
	if s.expired {
		s.exists, s.expired, s.queue, s.flight = false, false, nil, nil
	}
	s.window = int(*p.Properties.ReceiveMaximum)
	answer := packets.Connack{Properties: &packets.Properties{}}
	if s.connack != nil {
		answer = *s.connack
	}
	answer.SessionPresent = s.exists
	c.send(&answer)
	s.conn = c
	for _, p := range s.flight {
		p.Duplicate = true
		c.send(p)
	}
	s.pump()
}

func (s *fakeSession) other(c *fakeConn, p packets.Packet) {
	s.smu.Lock()
	defer s.smu.Unlock()
	switch p := p.(type) {
	case *packets.Subscribe:
		answer := &packets.Suback{PacketID: p.PacketID, Properties: &packets.Properties{}}
		for _, o := range p.Subscriptions {
			code := byte(1)
			if s.suback != nil {
				code = s.suback(o)
			}
			answer.Reasons = append(answer.Reasons, code)
		}
		s.filters, s.exists = p.Subscriptions, true
		c.send(answer)
		s.pump()
	case *packets.Puback:
		if c != s.conn {
			return
		}
		if len(s.flight) == 0 || s.flight[0].PacketID != p.PacketID {
			s.t.Errorf("PUBACK for packet id %d out of turn", p.PacketID)
			return
		}
		s.flight = s.flight[1:]
		s.pump()
	default:
		s.t.Errorf("the client sent %v", p)
	}
}

// pump sends what the window allows. The caller holds smu.
func (s *fakeSession) pump() {
	for s.conn != nil && s.exists && len(s.queue) > 0 && len(s.flight) < s.window {
		p := s.queue[0]
		s.queue = s.queue[1:]
		if p.QoS > 0 {
			if s.lastID++; s.lastID == 0 {
				s.lastID = 1
			}
			p.PacketID = s.lastID
			s.flight = append(s.flight, p)
		}
		s.conn.send(p)
	}
}

func (s *fakeSession) put(_ testing.TB, payloads ...[]byte) {
	var all []*packets.Publish
	for _, payload := range payloads {
		all = append(all, &packets.Publish{Topic: "plant/a", QoS: 1, Payload: payload, Properties: &packets.Properties{}})
	}
	s.publish(all...)
}

func (s *fakeSession) publish(all ...*packets.Publish) {
	s.smu.Lock()
	defer s.smu.Unlock()
	s.queue = append(s.queue, all...)
	s.pump()
}

func (s *fakeSession) left(testing.TB) int {
	s.smu.Lock()
	defer s.smu.Unlock()
	return len(s.queue) + len(s.flight)
}

// current returns the last connection.
func (s *fakeSession) current() *fakeConn {
	s.smu.Lock()
	defer s.smu.Unlock()
	return s.conn
}

// newTestSource returns a source for url, closed with the test.
func newTestSource(t testing.TB, url string, change ...func(*SourceConfig)) *Source {
	t.Helper()
	return logTestSource(t, feed.StageEnv{Feed: "test", Route: "test"}, url, change...)
}

func logTestSource(t testing.TB, env feed.StageEnv, url string, change ...func(*SourceConfig)) *Source {
	t.Helper()
	c := DefaultSourceConfig()
	c.URL, c.ClientID, c.Topics = feed.NewURL(url), "consumer", []string{"plant/#"}
	for _, f := range change {
		f(&c)
	}
	s, err := NewSource(c, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// overPipes has a source connect to b by pipes, for tests in a bubble of
// testing/synctest.
func overPipes(s *Source, b *fakeBroker) {
	s.dial = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		b.tasks.Go(func() { b.serve(server) })
		return client, nil
	}
}

// mustSubscribe subscribes to the configured topics.
func mustSubscribe(t testing.TB, s *Source) *subscription {
	t.Helper()
	sub, err := s.subscribe(testContext(t), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sub.Close() })
	return sub
}

// receive receives n deliveries.
func receive(t testing.TB, sub *subscription, n int) []feed.Delivery {
	t.Helper()
	var all []feed.Delivery
	for len(all) < n {
		var err error
		if all, err = sub.Receive(testContext(t), all, n-len(all)); err != nil {
			t.Fatalf("received %d of %d: %v (%v, window %d)", len(all), n, err, sub.failure(), sub.window.n)
		}
	}
	return all
}

func settle(t testing.TB, sub *subscription, ds ...feed.Delivery) {
	t.Helper()
	if err := sub.Settle(t.Context(), settlements(ds...)); err != nil {
		t.Fatal(err)
	}
}

func settlements(ds ...feed.Delivery) []feed.Settlement {
	var all []feed.Settlement
	for _, d := range ds {
		all = append(all, feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered})
	}
	return all
}

// answerWith changes how SUBSCRIBE is answered.
func (s *fakeSession) answerWith(suback func(packets.SubOptions) byte) {
	s.smu.Lock()
	defer s.smu.Unlock()
	s.suback = suback
}
