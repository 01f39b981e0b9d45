package amqp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

func TestSourceConformanceOnFake(t *testing.T) {
	feedtest.TestSource(t, func(t *testing.T) feedtest.SourceUnderTest {
		b := newFakeBroker("q")
		return feedtest.SourceUnderTest{
			Source: fakeSource(t, b, func(c *SourceConfig) { c.Prefetch = 10 }),
			Window: 10,
			Put:    func(_ testing.TB, payloads ...[]byte) { b.put("q", payloads...) },
			Left:   func(testing.TB) int { return b.left("q") },
			Break:  func(testing.TB) { b.cut() },
		}
	})
}

func TestSourceConformanceOnRabbitMQ(t *testing.T) {
	t.Parallel() // it waits most of the time
	for _, kind := range []QueueType{QueueQuorum, QueueClassic} {
		t.Run(string(kind), func(t *testing.T) {
			v := testenv.RabbitMQ(t)
			n := 0
			feedtest.TestSource(t, func(t *testing.T) feedtest.SourceUnderTest {
				n++
				queue := fmt.Sprint("q", n)
				p := newPublisher(t, v.URL())
				p.declare(t, queue, kind)
				proxy := testenv.Proxy(t, v.Addr)
				return feedtest.SourceUnderTest{
					Source: realSource(t, v.URLAt(proxy.Addr), func(c *SourceConfig) { c.Queue, c.Prefetch = queue, 10 }),
					Window: 10,
					Put:    func(t testing.TB, payloads ...[]byte) { p.put(t, queue, payloads...) },
					Left: func(t testing.TB) int {
						n, _, err := v.Queue(queue)
						if err != nil {
							return -1 // not counted yet
						}
						return n
					},
					Break: func(testing.TB) { proxy.Cut() },
				}
			})
		})
	}
}

func tooLongTopic() *message.Message {
	return &message.Message{UUID: "refused", Metadata: message.Metadata{feed.MetaTopic: strings.Repeat("k", 256)}}
}

func TestSinkConformanceOnFake(t *testing.T) {
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		b := newFakeBroker("behind")
		b.exchanges["x"] = "behind"
		return feedtest.SinkUnderTest{
			Sink:  fakeSink(t, b, func(c *SinkConfig) { c.Exchange = "x" }),
			Topic: func(n int) string { return fmt.Sprint("plant.", n) },
			Stored: func(testing.TB, int) []feedtest.Stored {
				b.mu.Lock()
				defer b.mu.Unlock()
				var all []feedtest.Stored
				for _, m := range b.queues["behind"] {
					all = append(all, feedtest.Stored{Topic: m.key, Payload: m.msg.Body, Metadata: texts(m.msg.Headers)})
				}
				return all
			},
			KeepsMetadata: true,
			Down:          func(testing.TB) { b.setDown(true) },
			Up:            func(testing.TB) { b.setDown(false) },
			Refused:       tooLongTopic,
		}
	})
}

func TestSinkConformanceOnRabbitMQ(t *testing.T) {
	t.Parallel() // it waits most of the time
	v := testenv.RabbitMQ(t)
	n := 0
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		n++
		exchange, queue := fmt.Sprint("x", n), fmt.Sprint("behind", n)
		p := newPublisher(t, v.URL())
		p.declare(t, queue, QueueQuorum)
		noError(t, p.ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil))
		noError(t, p.ch.QueueBind(queue, "#", exchange, false, nil))
		proxy := testenv.Proxy(t, v.Addr)
		var stored []feedtest.Stored
		return feedtest.SinkUnderTest{
			Sink:  realSink(t, v.URLAt(proxy.Addr), func(c *SinkConfig) { c.Exchange = exchange }),
			Topic: func(n int) string { return fmt.Sprint("plant.", n) },
			Stored: func(t testing.TB, n int) []feedtest.Stored {
				for _, d := range p.read(t, queue, n-len(stored)) {
					stored = append(stored, feedtest.Stored{Topic: d.RoutingKey, Payload: d.Body, Metadata: texts(d.Headers)})
				}
				return slices.Clone(stored)
			},
			KeepsMetadata: true,
			Down:          func(testing.TB) { proxy.Refuse(); proxy.Cut() },
			Up:            func(testing.TB) { proxy.Accept() },
			Refused:       tooLongTopic,
		}
	})
}

func texts(t amqp091.Table) map[string]string {
	m := map[string]string{}
	for k, v := range t {
		m[k] = headerText(v)
	}
	return m
}

// publisher is a plain client beside the stages under test.
type publisher struct {
	url  string
	conn *amqp091.Connection
	ch   *amqp091.Channel
}

func newPublisher(t testing.TB, url string) *publisher {
	t.Helper()
	conn, err := amqp091.Dial(url)
	noError(t, err)
	ch, err := conn.Channel()
	noError(t, err)
	noError(t, ch.Confirm(false))
	t.Cleanup(func() { _ = conn.Close() })
	return &publisher{url, conn, ch}
}

// put publishes to a queue and waits for the confirms.
func (p *publisher) put(t testing.TB, queue string, payloads ...[]byte) {
	t.Helper()
	var confirms []*amqp091.DeferredConfirmation
	for i, body := range payloads {
		c, err := p.ch.PublishWithDeferredConfirm("", queue, true, false, amqp091.Publishing{
			DeliveryMode: amqp091.Persistent, MessageId: fmt.Sprint("id", i), Body: body,
		})
		noError(t, err)
		confirms = append(confirms, c)
	}
	for _, c := range confirms {
		if !c.Wait() {
			t.Fatal("the broker refused a message")
		}
	}
}

// read takes at least n messages out of a queue, and whatever else is there.
func (p *publisher) read(t testing.TB, queue string, n int) []amqp091.Delivery {
	t.Helper()
	ch, err := p.conn.Channel()
	noError(t, err)
	defer func() { _ = ch.Close() }()
	in, err := ch.Consume(queue, "", true, false, false, false, nil)
	noError(t, err)
	var all []amqp091.Delivery
	limit := time.Minute
	for {
		if len(all) >= n {
			limit = 200 * time.Millisecond // for what should not be there
		}
		select {
		case d, ok := <-in:
			if !ok {
				t.Fatal("consumer ended")
			}
			all = append(all, d)
		case <-time.After(limit):
			return all
		}
	}
}

// declare declares a queue of a type.
func (p *publisher) declare(t testing.TB, queue string, kind QueueType) {
	t.Helper()
	testenv.DeclareQueue(t, p.url, queue, string(kind), nil)
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fakeSource(t testing.TB, b *fakeBroker, change func(*SourceConfig)) *Source {
	t.Helper()
	c := DefaultSourceConfig()
	c.URL, c.Queue = feed.NewURL("amqp://fake"), "q"
	change(&c)
	s, err := newSource(c, feed.StageEnv{Feed: "f", Route: "r"}, b.dial)
	noError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func realSource(t testing.TB, url string, change func(*SourceConfig)) *Source {
	t.Helper()
	c := DefaultSourceConfig()
	c.URL, c.Queue = feed.NewURL(url), "q"
	change(&c)
	s, err := NewSource(c, feed.StageEnv{Feed: "f", Route: "r"})
	noError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func fakeSink(t testing.TB, b *fakeBroker, change func(*SinkConfig)) *Sink {
	t.Helper()
	c := DefaultSinkConfig()
	c.URL = feed.NewURL("amqp://fake")
	change(&c)
	s, err := newSink(c, feed.StageEnv{Feed: "f", Route: "r"}, b.dial)
	noError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func realSink(t testing.TB, url string, change func(*SinkConfig)) *Sink {
	t.Helper()
	c := DefaultSinkConfig()
	c.URL = feed.NewURL(url)
	change(&c)
	s, err := NewSink(c, feed.StageEnv{Feed: "f", Route: "r"})
	noError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}
