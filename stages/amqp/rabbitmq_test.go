package amqp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// soon bounds what should not take long.
const soon = time.Minute

func numbers(from, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = fmt.Append(nil, from+i)
	}
	return all
}

// resubscribe tries again as a route does.
func resubscribe(t testing.TB, s *Source) feed.Subscription {
	t.Helper()
	var sub feed.Subscription
	var err error
	deadline := time.Now().Add(soon)
	testenv.Eventually(t, 2*soon, "a subscription", func() bool {
		sub, err = s.SubscribeBatch(t.Context(), "")
		return err == nil || time.Now().After(deadline)
	})
	noError(t, err)
	t.Cleanup(func() { _ = sub.Close() })
	return sub
}

func receive(t testing.TB, sub feed.Subscription, n int) []feed.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	var ds []feed.Delivery
	for len(ds) < n {
		var err error
		if ds, err = sub.Receive(ctx, ds, n-len(ds)); err != nil {
			t.Fatalf("got %d of %d, then %v", len(ds), n, err)
		}
	}
	return ds
}

func expectNumbers(t testing.TB, ds []feed.Delivery, from int) {
	t.Helper()
	for i, d := range ds {
		if string(d.Message.Payload) != fmt.Sprint(from+i) {
			t.Fatalf("delivery %d is %s, want %d", i, d.Message.Payload, from+i)
		}
	}
}

func settle(t testing.TB, sub feed.Subscription, ds []feed.Delivery) {
	t.Helper()
	var tags []uint64
	for _, d := range ds {
		tags = append(tags, d.Tag)
	}
	noError(t, sub.Settle(t.Context(), settlements(tags...)))
}

// ended waits for the error that ends a subscription.
func ended(t testing.TB, sub feed.Subscription) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	for {
		_, err := sub.Receive(ctx, nil, 1000)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the subscription did not end within %v", soon)
		}
		if err != nil {
			return err
		}
	}
}

func within(t testing.TB, d time.Duration, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > d {
		t.Errorf("%s took %v, want at most %v", what, took, d)
	}
}

func TestRabbitMQSource(t *testing.T) {
	t.Parallel() // it waits most of the time
	v := testenv.RabbitMQ(t)
	p := newPublisher(t, v.URL())

	t.Run("declares, and names what differs", func(t *testing.T) {
		d := &Declare{
			Exchange: Exchange{Name: "plant"}, RoutingKeys: []string{"a.#"}, MaxLength: 100, MaxBytes: feed.GiB,
			DeadLetter: DeadLetter{Exchange: "dead", Queue: "dead"},
		}
		source := realSource(t, v.URL(), func(c *SourceConfig) { c.Queue, c.Declare = "declared", d })
		sub := resubscribe(t, source)
		noError(t, source.Probe(t.Context()))
		noError(t, p.ch.Publish("plant", "a.b", true, false, amqp091.Publishing{Body: []byte("0")}))
		settle(t, sub, receive(t, sub, 1))

		for _, c := range []struct {
			change func(*Declare)
			key    string
			parts  []string
		}{
			{func(d *Declare) { *d = Declare{Type: QueueClassic} }, "declare.type", []string{"classic", "quorum"}},
			{func(d *Declare) { d.MaxLength = 5 }, "declare.maxLength", []string{"5", "100"}},
			{func(d *Declare) { d.Exchange.Type = ExchangeDirect }, "declare.exchange.type", []string{"direct", "topic"}},
		} {
			changed := *d
			changed.DeadLetter.Queue = "" // it would differ first
			c.change(&changed)
			queue := "declared"
			if c.key == "declare.type" {
				queue = "plain" // of the declared one other arguments would differ first
				plain := realSource(t, v.URL(), func(s *SourceConfig) { s.Queue, s.Declare = queue, &Declare{} })
				noError(t, plain.Probe(t.Context()))
			}
			other := realSource(t, v.URL(), func(s *SourceConfig) { s.Queue, s.Declare = queue, &changed })
			_, err := other.SubscribeBatch(t.Context(), "")
			var ce *feed.ConfigError
			if !errors.As(err, &ce) || ce.Key != c.key {
				t.Errorf("%s: got %v", c.key, err)
				continue
			}
			for _, part := range c.parts {
				if !strings.Contains(ce.Problem, part) {
					t.Errorf("%s: %q does not say %q", c.key, ce.Problem, part)
				}
			}
		}
	})

	t.Run("a stream where a queue is declared", func(t *testing.T) {
		testenv.DeclareQueue(t, v.URL(), "kept", "stream", nil)
		queue := realSource(t, v.URL(), func(c *SourceConfig) { c.Queue, c.Declare = "kept", &Declare{MaxBytes: feed.GiB} })
		_, err := queue.SubscribeBatch(t.Context(), "")
		var ce *feed.ConfigError
		if !errors.As(err, &ce) || ce.Key != "declare.type" && !strings.Contains(ce.Problem, `queue "kept" may be of another type`) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("missing queue, later created", func(t *testing.T) {
		source := realSource(t, v.URL(), func(c *SourceConfig) { c.Queue = "later" })
		if _, err := source.SubscribeBatch(t.Context(), ""); err == nil || !strings.Contains(err.Error(), `queue "later" does not exist`) {
			t.Errorf("got %v", err)
		}
		p.declare(t, "later", QueueQuorum)
		p.put(t, "later", numbers(0, 3)...)
		expectNumbers(t, receive(t, resubscribe(t, source), 3), 0)
	})

	for _, kind := range []QueueType{QueueQuorum, QueueClassic} {
		t.Run("queue deleted, "+string(kind), func(t *testing.T) {
			queue := "doomed-" + string(kind)
			p.declare(t, queue, kind)
			source := realSource(t, v.URL(), func(c *SourceConfig) { c.Queue = queue })
			sub := resubscribe(t, source)
			v.DeleteQueue(t, queue)
			if err := ended(t, sub); !strings.Contains(err.Error(), "cancelled") {
				t.Errorf("got %v", err)
			}
			noError(t, sub.Close())
			p.declare(t, queue, kind)
			p.put(t, queue, numbers(0, 2)...)
			expectNumbers(t, receive(t, resubscribe(t, source), 2), 0)
		})

		t.Run("given back under load keeps its order, "+string(kind), func(t *testing.T) {
			queue := "order-" + string(kind)
			p.declare(t, queue, kind)
			p.put(t, queue, numbers(0, 3000)...)
			source := realSource(t, v.URL(), func(c *SourceConfig) { c.Queue, c.Prefetch = queue, 1000 })
			for done := 0; done < 3000; {
				sub := resubscribe(t, source)
				ds := receive(t, sub, min(500, 3000-done))
				expectNumbers(t, ds, done)
				settle(t, sub, ds[:min(250, len(ds))])
				done += min(250, len(ds))
				noError(t, sub.Close()) // half of it, and what was prefetched, goes back
			}
		})
	}

	t.Run("connection closed by the broker", func(t *testing.T) {
		own := testenv.RabbitMQ(t)
		q := newPublisher(t, own.URL())
		q.declare(t, "q", QueueQuorum)
		q.put(t, "q", numbers(0, 10)...)
		noError(t, q.conn.Close())
		source := realSource(t, own.URL(), func(*SourceConfig) {})
		sub := resubscribe(t, source)
		settle(t, sub, receive(t, sub, 4))
		own.CloseConnections(t)
		if err := ended(t, sub); !strings.Contains(err.Error(), "CONNECTION_FORCED") {
			t.Errorf("got %v", err)
		}
		noError(t, sub.Close())
		expectNumbers(t, receive(t, resubscribe(t, source), 6), 4)
	})

	t.Run("dead peer", func(t *testing.T) {
		p.declare(t, "silent", QueueQuorum)
		proxy := testenv.Proxy(t, v.Addr)
		source := realSource(t, v.URLAt(proxy.Addr), func(c *SourceConfig) { c.Queue, c.Heartbeat = "silent", 2*time.Second })
		sub := resubscribe(t, source)
		proxy.Block()
		within(t, soon, "noticing a dead peer", func() { _ = ended(t, sub) })
		within(t, soon, "close", func() { _ = sub.Close(); _ = source.Close() })
		proxy.Unblock()
	})

	t.Run("close with a peer that does not answer", func(t *testing.T) {
		p.declare(t, "mute", QueueQuorum)
		proxy := testenv.Proxy(t, v.Addr)
		source := realSource(t, v.URLAt(proxy.Addr), func(c *SourceConfig) { c.Queue = "mute" })
		sub := resubscribe(t, source)
		proxy.Block()
		within(t, closeTimeout+soon, "close of the subscription", func() { _ = sub.Close() })
		within(t, closeTimeout+soon, "close of the source", func() { _ = source.Close() })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		other := realSource(t, v.URLAt(proxy.Addr), func(c *SourceConfig) { c.Queue = "mute" })
		within(t, soon, "subscribe", func() {
			if _, err := other.SubscribeBatch(ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
		proxy.Unblock()
	})
}

func TestRabbitMQSink(t *testing.T) {
	t.Parallel() // it waits most of the time
	v := testenv.RabbitMQ(t)
	p := newPublisher(t, v.URL())

	t.Run("returns", func(t *testing.T) {
		noError(t, p.ch.ExchangeDeclare("direct", "direct", true, false, false, false, nil))
		p.declare(t, "bound", QueueQuorum)
		noError(t, p.ch.QueueBind("bound", "yes", "direct", false, nil))
		sink := realSink(t, v.URL(), func(c *SinkConfig) { c.Exchange = "direct" })
		var ms []*message.Message
		for i := range 1000 {
			key := "yes"
			if i%3 == 0 {
				key = "no"
			}
			m := msg("", key, fmt.Sprint(i%7)) // many are equal
			m.Metadata["h"] = fmt.Sprint(i % 2)
			ms = append(ms, m)
		}
		got := failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(ms...)))
		for i := range ms {
			if (got[i] != nil) != (i%3 == 0) || feed.IsPermanent(got[i]) {
				t.Fatalf("message %d: %v", i, got[i])
			}
		}
		if n := len(p.read(t, "bound", 666)); n != 666 {
			t.Errorf("%d messages arrived, want 666", n)
		}
	})

	t.Run("full queue", func(t *testing.T) {
		testenv.DeclareQueue(t, v.URL(), "full", "quorum", amqp091.Table{
			amqp091.QueueMaxLenArg: 10, amqp091.QueueOverflowArg: "reject-publish",
		})
		sink := realSink(t, v.URL(), func(c *SinkConfig) { c.RoutingKey = "full" })
		var failed map[int]error
		testenv.Eventually(t, soon, "a refusal", func() bool {
			failed = failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "", "x"), msg("2", "", "x"))))
			return len(failed) > 0
		})
		for _, err := range failed {
			if feed.IsPermanent(err) || feed.IsConnectionFatal(err) || !strings.Contains(err.Error(), "refused") {
				t.Errorf("got %v", err)
			}
		}
		_, err := p.ch.QueuePurge("full", false)
		noError(t, err)
		testenv.Eventually(t, soon, "room in the queue", func() bool {
			return sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "", "x"))) == nil
		})
	})

	t.Run("missing exchange", func(t *testing.T) {
		sink := realSink(t, v.URL(), func(c *SinkConfig) { c.Exchange = "missing" })
		got := failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "k", ""), msg("2", "k", ""))))
		if len(got) != 2 || !strings.Contains(got[0].Error(), "NOT_FOUND") || feed.IsConnectionFatal(got[0]) || feed.IsPermanent(got[0]) {
			t.Errorf("got %v", got)
		}
		if err := sink.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), `exchange "missing" does not exist`) {
			t.Errorf("probe: %v", err)
		}
		noError(t, p.ch.ExchangeDeclare("missing", "fanout", true, false, false, false, nil))
		p.declare(t, "found", QueueClassic)
		noError(t, p.ch.QueueBind("found", "", "missing", false, nil))
		noError(t, sink.Probe(t.Context()))
		noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "k", ""))))
	})

	t.Run("declares its exchange", func(t *testing.T) {
		sink := realSink(t, v.URL(), func(c *SinkConfig) { c.Exchange, c.Declare, c.Mandatory = "made", &Exchange{}, false })
		noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "k", ""))))
		other := realSink(t, v.URL(), func(c *SinkConfig) { c.Exchange, c.Declare = "made", &Exchange{Type: ExchangeFanout} })
		var ce *feed.ConfigError
		if err := other.PublishBatch(t.Context(), feed.NewBatch(msg("1", "k", ""))); !errors.As(err, &ce) || ce.Key != "declare.type" {
			t.Errorf("got %v", err)
		}
	})

	t.Run("lost answers", func(t *testing.T) {
		p.declare(t, "lost", QueueQuorum)
		proxy := testenv.Proxy(t, v.Addr)
		sink := realSink(t, v.URLAt(proxy.Addr), func(c *SinkConfig) { c.RoutingKey, c.ConfirmTimeout = "lost", time.Second })
		noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "", ""))))
		proxy.BlockReplies()
		got := failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("2", "", ""))))
		if len(got) != 1 || feed.IsPermanent(got[0]) || !strings.Contains(got[0].Error(), "no publisher confirm within 1s") {
			t.Errorf("got %v", got)
		}
		proxy.Unblock()
		noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("2", "", ""))))
		if n := len(p.read(t, "lost", 3)); n != 3 {
			t.Errorf("%d messages, want 3: the one whose confirm was lost twice", n)
		}
	})
}

func TestPrivateRabbitMQ(t *testing.T) {
	t.Parallel() // it waits most of the time
	files := testenv.CA(t)
	node := testenv.PrivateRabbitMQ(t, testenv.WithTLS(files), testenv.WithRabbitMQSettings("max_message_size = 100000"))
	p := newPublisher(t, node.URL())
	for _, q := range []string{"q", "tls", "rotated", "alarm"} {
		p.declare(t, q, QueueQuorum)
	}
	noError(t, p.conn.Close())

	t.Run("amqps with a client certificate", func(t *testing.T) {
		tls := TLS{CAFile: files.CAFile, CertFile: files.ClientCertFile, KeyFile: files.ClientKeyFile}
		sink := realSink(t, node.TLSURL(), func(c *SinkConfig) { c.TLS, c.Auth, c.RoutingKey = tls, AuthExternal, "tls" })
		noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "", "0"), msg("2", "", "1"))))
		noError(t, sink.Probe(t.Context()))
		source := realSource(t, node.TLSURL(), func(c *SourceConfig) { c.TLS, c.Auth, c.Queue = tls, AuthExternal, "tls" })
		sub := resubscribe(t, source)
		ds := receive(t, sub, 2)
		expectNumbers(t, ds, 0)
		settle(t, sub, ds)
		noError(t, source.Close())
		tls.ServerName = "elsewhere"
		other := realSource(t, node.TLSURL(), func(c *SourceConfig) { c.TLS, c.Auth, c.Queue = tls, AuthExternal, "tls" })
		if _, err := other.SubscribeBatch(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "elsewhere") {
			t.Errorf("a certificate of another name was accepted: %v", err)
		}
	})

	t.Run("password from a file, rotated", func(t *testing.T) {
		setPassword := func(password string) {
			node.Do(t, http.MethodPut, "/users/rotating", map[string]string{"password": password, "tags": ""}, nil)
		}
		setPassword("old")
		node.Do(t, http.MethodPut, "/permissions/test/rotating", map[string]string{"configure": ".*", "write": ".*", "read": ".*"}, nil)
		path := filepath.Join(t.TempDir(), "password")
		noError(t, os.WriteFile(path, []byte("old\n"), 0o600))
		proxy := testenv.Proxy(t, node.Addr)
		source := realSource(t, node.URLAt(proxy.Addr), func(c *SourceConfig) {
			c.Queue, c.Username, c.Password = "rotated", feed.NewSecret("rotating"), feed.SecretFile(path)
		})
		sub := resubscribe(t, source)
		setPassword("geheim")
		proxy.Cut()
		if end := ended(t, sub).Error(); !strings.Contains(end, "connection lost: ") || strings.Contains(end, "Exception") {
			t.Errorf("of a lost connection it says %q", end)
		}
		_ = sub.Close()
		_, err := source.SubscribeBatch(t.Context(), "")
		if err == nil || !strings.Contains(err.Error(), "check username and password") || strings.Contains(err.Error(), "old") {
			t.Errorf("got %v", err)
		}
		noError(t, os.WriteFile(path, []byte("geheim\n"), 0o600))
		noError(t, resubscribe(t, source).Close())
		if _, err := realSource(t, node.URL()+"-none", func(*SourceConfig) {}).SubscribeBatch(t.Context(), ""); err == nil || !strings.Contains(err.Error(), `virtual host "test-none"`) {
			t.Errorf("missing vhost: %v", err)
		}
	})

	t.Run("message above the broker's limit", func(t *testing.T) {
		sink := realSink(t, node.URL(), func(c *SinkConfig) { c.RoutingKey = "q" })
		got := failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "", "small"), msg("2", "", strings.Repeat("x", 100001)), msg("3", "", "small"))))
		if !feed.IsConnectionFatal(got[1]) || got[2] == nil || feed.IsConnectionFatal(got[0]) || feed.IsConnectionFatal(got[2]) {
			t.Errorf("got %v", got)
		}
		noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("3", "", "small"))))
		drain := newPublisher(t, node.URL())
		_, err := drain.ch.QueuePurge("q", false)
		noError(t, err)
	})

	t.Run("memory alarm", func(t *testing.T) {
		feeder := newPublisher(t, node.URL())
		feeder.put(t, "alarm", numbers(0, 10)...)
		noError(t, feeder.conn.Close())
		source := realSource(t, node.URL(), func(c *SourceConfig) { c.Queue, c.Prefetch = "alarm", 5 })
		sink := realSink(t, node.URL(), func(c *SinkConfig) { c.RoutingKey, c.ConfirmTimeout = "q", 2*time.Second })
		sub := resubscribe(t, source)
		noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("0", "", "before"))))

		node.SetMemoryAlarm(true)
		ds := receive(t, sub, 5)
		settle(t, sub, ds)
		expectNumbers(t, receive(t, sub, 5), 5) // consuming goes on
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		within(t, soon, "publish under the alarm", func() {
			if err := sink.PublishBatch(ctx, feed.NewBatch(msg("1", "", strings.Repeat("x", 90000)), msg("2", "", "x"))); err == nil {
				t.Error("publish under the alarm reports success")
			}
		})
		cancel()
		if err := sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "", "x"))); err == nil || !strings.Contains(err.Error(), "blocks publishers") {
			t.Errorf("got %v", err)
		}
		// It gets the reason only if its connection has heard of the alarm;
		// otherwise it runs out of time.
		if err := sink.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "blocks publishers") && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("probe under the alarm: %v", err)
		}
		within(t, soon, "close of the subscription", func() { noError(t, sub.Close()) })
		second := realSink(t, node.URL(), func(c *SinkConfig) { c.RoutingKey, c.ConfirmTimeout = "q", time.Second })
		_ = second.PublishBatch(t.Context(), feed.NewBatch(msg("1", "", "x")))
		within(t, closeTimeout+soon, "close of a blocked sink", func() { _ = second.Close() })

		node.SetMemoryAlarm(false)
		testenv.Eventually(t, soon, "the probe to succeed", func() bool { return sink.Probe(t.Context()) == nil })
		noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "", "after"))))
	})

	t.Run("restart", func(t *testing.T) {
		source := realSource(t, node.URL(), func(c *SourceConfig) { c.Queue = "restart"; c.Declare = &Declare{} })
		sink := realSink(t, node.URL(), func(c *SinkConfig) { c.RoutingKey = "restart" })
		sub := resubscribe(t, source)
		for i := range 10 {
			noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("", "", fmt.Sprint(i)))))
		}
		settle(t, sub, receive(t, sub, 10)[:4])
		node.Stop()
		t.Log(ended(t, sub))
		_ = sub.Close()
		if _, err := source.SubscribeBatch(t.Context(), ""); err == nil {
			t.Error("subscribed to a dead broker")
		}
		if err := sink.PublishBatch(t.Context(), feed.NewBatch(msg("", "", "x"))); err == nil {
			t.Error("published to a dead broker")
		}
		node.Start()
		sub = resubscribe(t, source)
		again := receive(t, sub, 6)
		// The acknowledgements may have been lost with the connection.
		if first := string(again[0].Message.Payload); first != "4" && first != "0" {
			t.Errorf("came back from %s on", first)
		}
		testenv.Eventually(t, soon, "the sink to publish", func() bool {
			return sink.PublishBatch(t.Context(), feed.NewBatch(msg("", "", "10"))) == nil
		})
	})
}
