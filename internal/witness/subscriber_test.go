package witness_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/kraft-edge/datafeed/internal/embedded"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// startBroker returns a broker that asks for one of the tokens.
func startBroker(t *testing.T, tokens ...string) *embedded.Broker {
	t.Helper()
	b, err := embedded.StartWithTokens(embedded.NewTokens(tokens...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// publish publishes n readings of a device, many in flight, and returns when the
// last is acknowledged, and so all are.
func publish(t *testing.T, b *embedded.Broker, token string, n int) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	config, connect := paho.ClientConfig{Conn: conn}, &paho.Connect{ClientID: "publisher", CleanStart: true, Properties: &paho.ConnectProperties{}}
	witness.WithServiceAccountToken(token)(&config, connect)
	client := paho.NewClient(config)
	if _, err := client.Connect(t.Context(), connect); err != nil {
		t.Fatal(err)
	}
	for seq := 1; seq <= n; seq++ {
		p := &paho.Publish{Topic: "kraft/a", QoS: 1, Payload: fmt.Appendf(nil, `{"device":"a","seq":%d}`, seq)}
		how := paho.PublishOptions{Method: paho.PublishMethod_AsyncSend}
		if seq == n {
			how.Method = paho.PublishMethod_Blocking
		}
		if _, err := client.PublishWithOptions(t.Context(), p, how); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Disconnect(&paho.Disconnect{}); err != nil {
		t.Error(err)
	}
	<-client.Done()
}

func await(t *testing.T, c <-chan struct{}, or string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatal(or)
	}
}

func TestSubscribeWithServiceAccountToken(t *testing.T) {
	const n = 5000 // more than the broker lets a client leave unacknowledged
	b := startBroker(t, "gateway", "witness")
	arrived := witness.NewTally()
	for name, options := range map[string][]witness.Option{
		"no token": nil, "another token": {witness.WithServiceAccountToken("stranger")},
	} {
		if _, err := witness.Subscribe(t.Context(), b.URL(), "kraft/#", arrived, options...); err == nil {
			t.Errorf("%s: let in", name)
		}
	}
	s, err := witness.Subscribe(t.Context(), b.URL(), "kraft/#", arrived, witness.WithServiceAccountToken("witness"))
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b, "gateway", n)
	for arrived.Distinct() < n {
		if changed := arrived.Changed(); arrived.Distinct() < n {
			await(t, changed, "nothing more arrives")
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	published := witness.NewTally()
	for seq := uint64(1); seq <= n; seq++ {
		published.Add("a", seq)
	}
	if v := witness.Compare(published, arrived); !v.Complete() || v.Duplicates+v.Disordered > 0 {
		t.Errorf("arrived: %+v", v)
	}
}

// TestCloseTellsOfALostConnection has the broker end before the subscriber.
func TestCloseTellsOfALostConnection(t *testing.T) {
	b := startBroker(t, "witness")
	s, err := witness.Subscribe(t.Context(), b.URL(), "kraft/#", witness.NewTally(), witness.WithServiceAccountToken("witness"))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, s.Done(), "the connection stays")
	if err := s.Close(); err == nil {
		t.Error("nothing is said of it")
	}
}
