package embedded_test

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/internal/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) *embedded.Broker {
	t.Helper()
	b, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
	return b
}

// connect returns a client that hands what it receives to on.
func connect(t *testing.T, b *embedded.Broker, id string, on func(*paho.Publish)) *paho.Client {
	t.Helper()
	client, _ := dial(t, b, id, on)
	return client
}

func dial(t *testing.T, b *embedded.Broker, id string, on func(*paho.Publish)) (*paho.Client, net.Conn) {
	t.Helper()
	receiveMaximum := uint16(65535)
	client, conn, _ := dialWith(t, b, &paho.Connect{
		ClientID: id, CleanStart: true, Properties: &paho.ConnectProperties{ReceiveMaximum: &receiveMaximum},
	}, on)
	return client, conn
}

func dialWith(t *testing.T, b *embedded.Broker, c *paho.Connect, on func(*paho.Publish)) (*paho.Client, net.Conn, *paho.Connack) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	client := paho.NewClient(paho.ClientConfig{
		Conn: conn,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			on(p.Packet)
			return true, nil
		}},
	})
	ack, err := client.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Disconnect(&paho.Disconnect{}) // the broker may have gone already
		<-client.Done()
		_ = conn.Close()
	})
	return client, conn, ack
}

func subscribe(t *testing.T, c *paho.Client, filter string) {
	t.Helper()
	if _, err := c.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
}

// publish publishes n numbered messages, many in flight.
func publish(ctx context.Context, c *paho.Client, n int) error {
	for i := range n {
		if _, err := c.PublishWithOptions(ctx, &paho.Publish{
			Topic: "kraft/test", QoS: 1, Payload: binary.BigEndian.AppendUint64(nil, uint64(i)),
		}, paho.PublishOptions{Method: paho.PublishMethod_AsyncSend}); err != nil {
			return err
		}
	}
	return nil
}

func TestPublishSubscribe(t *testing.T) {
	const n = 10_000
	b := start(t)
	var next uint64
	done := make(chan struct{})
	subscribe(t, connect(t, b, "subscriber", func(p *paho.Publish) {
		if got := binary.BigEndian.Uint64(p.Payload); got != next {
			t.Errorf("got message %d, want %d", got, next)
		}
		if next++; next == n {
			close(done)
		}
	}), "kraft/#")
	if err := publish(t.Context(), connect(t, b, "publisher", func(*paho.Publish) {}), n); err != nil {
		t.Fatal(err)
	}
	await(t, done)
}

// TestSlowSubscriberLosesNothing has a subscriber that acknowledges nothing
// until more was published than the broker would keep for it.
func TestSlowSubscriberLosesNothing(t *testing.T) {
	const n = 70_000
	b := start(t)
	var next uint64
	done, goOn := make(chan struct{}), make(chan struct{})
	subscribe(t, connect(t, b, "subscriber", func(p *paho.Publish) {
		<-goOn
		if got := binary.BigEndian.Uint64(p.Payload); got != next {
			t.Errorf("got message %d, want %d", got, next)
			next = got
		}
		if next++; next == n {
			close(done)
		}
	}), "kraft/#")
	publisher := connect(t, b, "publisher", func(*paho.Publish) {})
	published := make(chan error, 1)
	go func() { published <- publish(t.Context(), publisher, n) }()
	// As the subscriber waits, so must the publisher: it cannot get through.
	select {
	case err := <-published:
		t.Errorf("%d messages were published while nobody acknowledged: %v", n, err)
	case <-time.After(time.Second):
	}
	close(goOn)
	await(t, done)
	if err := <-published; err != nil {
		t.Error(err)
	}
}

// TestSlowSubscriberLeaves lets the publisher go on when the one it waits for
// has gone.
func TestSlowSubscriberLeaves(t *testing.T) {
	const n = 70_000
	b := start(t)
	goOn, once := make(chan struct{}), false
	reached := make(chan struct{})
	subscriber, conn := dial(t, b, "subscriber", func(*paho.Publish) {
		if !once {
			once = true
			close(reached)
		}
		<-goOn
	})
	subscribe(t, subscriber, "kraft/#")
	publisher := connect(t, b, "publisher", func(*paho.Publish) {})
	published := make(chan error, 1)
	go func() { published <- publish(t.Context(), publisher, n) }()
	await(t, reached)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	select {
	case err := <-published:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the publisher still waits")
	}
}

// TestCloseReleasesPublishers closes a broker while a publisher is held back.
func TestCloseReleasesPublishers(t *testing.T) {
	b := start(t)
	goOn := make(chan struct{})
	reached := make(chan struct{}, 1)
	subscribe(t, connect(t, b, "subscriber", func(*paho.Publish) {
		select {
		case reached <- struct{}{}:
		default:
		}
		<-goOn
	}), "kraft/#")
	publisher := connect(t, b, "publisher", func(*paho.Publish) {})
	ctx, cancel := context.WithCancel(t.Context())
	published := make(chan error, 1)
	go func() { published <- publish(ctx, publisher, 70_000) }()
	await(t, reached)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	await(t, closed)
	close(goOn)
	cancel()
	<-published
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(60 * time.Second):
		t.Fatal("it did not happen within a minute")
	}
}
