package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	watermill "github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// openChannel opens a channel that is closed after the test.
func openChannel(t *testing.T, url string) *amqp091.Channel {
	t.Helper()
	conn, err := amqp091.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// declareBound declares a queue, and an exchange that leads to it unless that is
// the default one.
func declareBound(t *testing.T, ch *amqp091.Channel, exchange, key, queue string) {
	t.Helper()
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if exchange == "" {
		return
	}
	if err := ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind(queue, key, exchange, false, nil); err != nil {
		t.Fatal(err)
	}
}

// typedMessage is the i-th of the messages of TestReplayToRabbitMQ: it has
// headers of every type.
func typedMessage(i int) amqp091.Publishing {
	at := time.Date(2026, 3, 1, 0, 0, i, 0, time.UTC)
	return amqp091.Publishing{
		Headers: amqp091.Table{
			"bool": i%2 == 0, "int8": int8(-5), "int16": int16(-300), "int32": int32(i), "int64": int64(i) << 33,
			"uint8": uint8(200), "uint16": uint16(60000), "uint32": uint32(4e9),
			"float": float32(0.1), "double": float64(i) / 3, "decimal": amqp091.Decimal{Scale: 2, Value: 12345},
			"string": fmt.Sprint("message ", i), "bytes": []byte{0, 1, 0xff, byte(i)}, "time": at, "void": nil,
			"table": amqp091.Table{"inner": amqp091.Table{"deep": int64(i)}, "list": []any{int32(1), "two", true, nil}},
			"array": []any{amqp091.Table{"a": int16(1)}, float64(2.5), at},
		},
		ContentType: "application/octet-stream", ContentEncoding: "identity", DeliveryMode: amqp091.Persistent, Priority: uint8(i % 5),
		CorrelationId: fmt.Sprint("c", i), ReplyTo: "answers", MessageId: fmt.Sprint("m", i), Timestamp: at, Type: "reading", AppId: "plc",
		Body: append([]byte{0, 0xff, '\n'}, fmt.Sprintf("payload %d \x80\xfe", i)...),
	}
}

// TestReplayToRabbitMQ quarantines thousands of messages from RabbitMQ, whose headers
// are typed, and sends them back: what arrives is what had been published. A
// second replay sends nothing.
func TestReplayToRabbitMQ(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		replayToRabbitMQ(t, fmt.Sprintf("path: %q", filepath.Join(t.TempDir(), "q.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		replayToRabbitMQ(t, fmt.Sprintf("postgres: {url: %q}", testenv.PostgreSQL(t).URL()))
	})
}

func replayToRabbitMQ(t *testing.T, where string) {
	n := testenv.Amount(5_000, 10_000)
	v := testenv.RabbitMQ(t)
	t.Setenv("AMQP_URL", v.URL())
	file := filepath.Join(t.TempDir(), "feed.yaml")
	if err := os.WriteFile(file, []byte("name: line-1\nquarantine: {"+where+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ch := openChannel(t, v.URL())
	declareBound(t, ch, "telemetry", "telemetry.#", "in")
	publishTyped(t, ch, n)
	quarantineAll(t, v, file, int64(n))

	var again, broken strings.Builder
	start := time.Now()
	var out strings.Builder
	if code := run(t.Context(), []string{"quarantine", "replay", "--config", file, "--all", "--to", "${AMQP_URL}"}, strings.NewReader(""), &out, &broken); code != exitOK || !strings.HasPrefix(out.String(), fmt.Sprintf("%d of %d messages replayed to amqp://", n, n)) {
		t.Fatalf("exit code %d: %s%s", code, out.String(), broken.String())
	}
	t.Logf("%d messages replayed in %v", n, time.Since(start).Round(time.Millisecond))
	if strings.Contains(out.String(), v.Password) {
		t.Error("the output shows the password")
	}
	if code := run(t.Context(), []string{"quarantine", "replay", "--config", file, "--all", "--to", "${AMQP_URL}"}, strings.NewReader(""), &again, &broken); code != exitOK || !strings.HasPrefix(again.String(), "nothing to replay") {
		t.Fatalf("exit code %d: %s%s", code, again.String(), broken.String())
	}
	if err := ch.PublishWithContext(t.Context(), "telemetry", "telemetry.last", true, false, amqp091.Publishing{Body: []byte("last")}); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.ConsumeWithContext(t.Context(), "in", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		d := <-deliveries
		got := amqp091.Publishing{
			Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority,
			CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, MessageId: d.MessageId, Timestamp: d.Timestamp.UTC(), Type: d.Type, AppId: d.AppId, Body: d.Body,
		}
		if want := typedMessage(i); !reflect.DeepEqual(inUTC(got.Headers), inUTC(want.Headers)) {
			t.Fatalf("message %d has the headers\n%#v, want\n%#v", i, got.Headers, want.Headers)
		} else if got.Headers = want.Headers; !reflect.DeepEqual(got, want) || d.RoutingKey != routingKey(i) || d.Exchange != "telemetry" {
			t.Fatalf("message %d is\n%#v, want\n%#v", i, got, want)
		}
	}
	if d := <-deliveries; string(d.Body) != "last" {
		t.Errorf("after %d messages comes %q", n, d.Body)
	}
}

func routingKey(i int) string { return fmt.Sprintf("telemetry.press%d", i%7) }

// inUTC makes times comparable: they have whole seconds and no place.
func inUTC(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC()
	case amqp091.Table:
		out := amqp091.Table{}
		for k, e := range v {
			out[k] = inUTC(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = inUTC(e)
		}
		return out
	}
	return v
}

// publishTyped publishes n messages and waits until all are confirmed.
func publishTyped(t *testing.T, ch *amqp091.Channel, n int) {
	t.Helper()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	var last *amqp091.DeferredConfirmation
	for i := range n {
		var err error
		if last, err = ch.PublishWithDeferredConfirm("telemetry", routingKey(i), true, false, typedMessage(i)); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := last.WaitContext(t.Context()); err != nil || !ok {
		t.Fatalf("confirmed %v, error %v", ok, err)
	}
}

// quarantineAll runs a feed that takes n messages from the queue "in" and
// refuses all of them for good.
func quarantineAll(t *testing.T, v *testenv.Vhost, file string, n int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	place, err := placeIn(file, "")
	if err != nil {
		t.Fatal(err)
	}
	c := quarantine.DefaultConfig()
	c.Feed, c.Path, c.Postgres = place.Feed, place.Path, place.Postgres
	store, err := quarantine.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	config := amqp.DefaultSourceConfig()
	config.URL, config.Queue = feed.NewURL(v.URL()), "in"
	source, err := amqp.NewSource(config, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := feed.New(feed.Options{Quarantine: store}, feed.Route{
		Name: "telemetry", Source: source, Sink: testSink{},
		Transforms: []feed.Transform{{Name: "refuse", Func: func(*watermill.Message) ([]*watermill.Message, error) {
			return nil, feed.Permanent(fmt.Errorf("as told"))
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	testenv.Eventually(t, time.Minute, "all messages to be quarantined", func() bool {
		return feed.Total(f.Status().Routes[0].Deliveries.Quarantined) == uint64(n)
	})
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
