package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The application moves what it should between real brokers, and says so on its
// page.
func TestApplication(t *testing.T) {
	const n = 500
	vhost, broker := testenv.RabbitMQ(t), testenv.Mosquitto(t)
	got := witness.NewTally()
	subscriber, err := witness.Subscribe(t.Context(), broker.URL(), "kraft/#", got)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	listening, ended := make(chan string, 1), make(chan error, 1)
	s := settings{amqp: vhost.URL(), mqtt: broker.URL(), queue: "telemetry", directory: t.TempDir(), page: "127.0.0.1:0"}
	go func() { ended <- run(ctx, s, func(a net.Addr) { listening <- "http://" + a.String() }) }()
	page := <-listening
	says := func(want string) {
		t.Helper()
		testenv.Eventually(t, time.Minute, want, func() bool {
			response, err := http.Get(page) //nolint:noctx,gosec // the page of this test
			if err != nil {
				return false
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			return err == nil && strings.Contains(string(text), want)
		})
	}
	says("telemetry is running") // and has declared its queue
	sent := 0
	factory := &witness.Factory{URL: vhost.URL(), Exchange: "telemetry", Published: witness.NewTally()}
	if err := factory.Publish(t.Context(), func() (witness.Reading, bool) {
		sent++
		payload := fmt.Appendf(nil, `{"device":"press7","tag":"temperature","seq":%d,"value":20}`, sent)
		return witness.Reading{Device: "press7", Seq: uint64(sent), RoutingKey: "telemetry.press7.temperature", Payload: payload}, sent <= n
	}); err != nil {
		t.Fatal(err)
	}
	says(fmt.Sprintf("telemetry is running: %d received, %d delivered, 0 quarantined", n, n))
	testenv.Eventually(t, time.Minute, "all readings on MQTT", func() bool { return got.Distinct() >= n })
	stop()
	if err := errors.Join(<-ended, subscriber.Close()); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	if v := witness.Compare(factory.Published, got); !v.Complete() {
		t.Errorf("MQTT: %+v", v)
	}
}
