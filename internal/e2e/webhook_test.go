package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestWebhookExample runs the example with the real RabbitMQ. Clients send each
// message until it is answered with 200; meanwhile the feed is killed and
// RabbitMQ's connections are cut. All that was answered is in the queue.
func TestWebhookExample(t *testing.T) {
	t.Parallel() // it waits most of the time
	const clients, each = 8, 150
	raw, err := os.ReadFile("../../examples/feeds/webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	address := testenv.Address(t)
	vhost := testenv.RabbitMQ(t)
	declareBound(t, vhost.URL(), "quality", "witness")
	yaml := strings.NewReplacer(
		"${QUARANTINE:-/var/lib/feed/quarantine.db}", filepath.Join(t.TempDir(), "quarantine.db"), `":8080"`, address, `{address: "127.0.0.1:8686"}`, "{address: ADMIN, expose: [status]}",
	).Replace(string(raw))
	p := newFeed(t, yaml, "AMQP_URL="+vhost.URL(), "WEBHOOK_TOKEN=confidential")
	p.start()
	p.ready()

	var answered, refused atomic.Int64
	var sending sync.WaitGroup
	for c := range clients {
		sending.Go(func() {
			for n := range each {
				body := fmt.Sprintf(`{"client":%d,"n":%d}`, c, n)
				for !post(t, "http://"+address+"/quality/line1", body) {
					refused.Add(1)
				}
				answered.Add(1)
			}
		})
	}
	testenv.Eventually(t, time.Minute, "a quarter to be answered", func() bool { return answered.Load() > clients*each/4 })
	p.kill()
	p.start()
	testenv.Eventually(t, time.Minute, "half to be answered", func() bool { return answered.Load() > clients*each/2 })
	vhost.CloseConnections(t)
	sending.Wait()
	if code, took := p.terminate(); code != 0 {
		t.Errorf("exit code %d after %v", code, took)
	}
	got := drain(t, vhost.URL(), "witness")
	missing := 0
	for c := range clients {
		for n := range each {
			if got[fmt.Sprintf(`line1 {"client":%d,"n":%d}`, c, n)] == 0 {
				missing++
			}
		}
	}
	if missing > 0 || len(got) != clients*each {
		t.Errorf("%d of %d answered messages are missing; %d different ones arrived", missing, clients*each, len(got))
	}
	if refused.Load() == 0 {
		t.Error("no request failed: nothing was tested")
	}
	t.Logf("%d requests failed and were sent again", refused.Load())
}

// post reports whether the message was answered with 200 and counted.
func post(t *testing.T, url, body string) bool {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return true
	}
	req.Header.Set("Authorization", "Bearer confidential")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		pause := time.NewTimer(20 * time.Millisecond) // the feed starts again
		<-pause.C
		return t.Context().Err() != nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return false
	}
	var counts struct{ Delivered int }
	if err := json.Unmarshal(text, &counts); err != nil || counts.Delivered != 1 {
		t.Errorf("answered %s: %v", bytes.TrimSpace(text), err)
	}
	return true
}

// onChannel calls do with a channel of its own.
func onChannel(t *testing.T, url string, do func(*amqp.Channel) error) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := do(channel); err != nil {
		t.Fatal(err)
	}
}

// declareBound declares a queue that takes all of an exchange.
func declareBound(t *testing.T, url, exchange, queue string) {
	t.Helper()
	testenv.DeclareQueue(t, url, queue, "quorum", nil)
	onChannel(t, url, func(c *amqp.Channel) error {
		if err := c.ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
			return err
		}
		return c.QueueBind(queue, "#", exchange, false, nil)
	})
}

// drain returns how often a queue had each message: its routing key, a space
// and its payload.
func drain(t *testing.T, url, queue string) map[string]int {
	t.Helper()
	got := map[string]int{}
	onChannel(t, url, func(c *amqp.Channel) error {
		for {
			d, ok, err := c.Get(queue, true)
			if err != nil || !ok {
				return err
			}
			got[d.RoutingKey+" "+string(d.Body)]++
		}
	})
	return got
}
