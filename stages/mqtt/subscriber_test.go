package mqtt

import (
	"crypto/tls"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// subscriber is an independent client that keeps all that it receives.
type subscriber struct {
	client *paho.Client
	lost   chan struct{} // closed when the connection has ended

	mu      sync.Mutex
	got     []*paho.Publish
	changed chan struct{}
}

// subscribe subscribes to everything at addr, until the test ends.
func subscribe(t testing.TB, addr string, secure *tls.Config) *subscriber {
	t.Helper()
	return subscribeQoS(t, addr, secure, 1)
}

func subscribeQoS(t testing.TB, addr string, secure *tls.Config, qos byte) *subscriber {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		secure.ServerName = "localhost"
		nc = packets.NewThreadSafeConn(tls.Client(nc, secure))
	}
	s := &subscriber{changed: make(chan struct{}), lost: make(chan struct{})}
	var once sync.Once
	ended := func() { once.Do(func() { close(s.lost) }) }
	s.client = paho.NewClient(paho.ClientConfig{
		Conn: nc,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.got = append(s.got, p.Packet)
			close(s.changed)
			s.changed = make(chan struct{})
			return true, nil
		}},
		OnClientError:      func(error) { ended() },
		OnServerDisconnect: func(*paho.Disconnect) { ended() },
	})
	all := uint16(math.MaxUint16)
	ack, err := s.client.Connect(testContext(t), &paho.Connect{
		ClientID: "subscriber", CleanStart: true, KeepAlive: 30,
		Properties: &paho.ConnectProperties{ReceiveMaximum: &all, RequestProblemInfo: true},
	})
	if err != nil || ack.ReasonCode != 0 {
		t.Fatalf("subscriber: %v %v", ack, err)
	}
	t.Cleanup(func() {
		// It may have lost its connection in the course of the test.
		_ = s.client.Disconnect(&paho.Disconnect{})
		<-s.client.Done()
	})
	if _, err := s.client.Subscribe(testContext(t), &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: "#", QoS: qos, RetainAsPublished: true}},
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// wait returns what has been received once it is n messages, or a minute
// has passed.
func (s *subscriber) wait(n int) []*paho.Publish {
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for {
		s.mu.Lock()
		got, changed := s.got[:len(s.got):len(s.got)], s.changed
		s.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-changed:
		case <-patience.C:
			return got
		}
	}
}

// expect checks that the numbered messages arrived, exactly and in order.
func (s *subscriber) expect(t testing.TB, from, to int) {
	t.Helper()
	got := s.wait(to - from)
	if len(got) != to-from {
		t.Fatalf("%d messages arrived, want %d", len(got), to-from)
	}
	for i, p := range got {
		if n := atoi(t, p.Payload); n != from+i {
			t.Fatalf("message %d arrived in the place of %d", n, from+i)
		}
	}
}
