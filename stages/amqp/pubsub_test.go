//go:build !race

// Watermill's suite has a data race of its own (TestReconnect appends to a
// slice in one goroutine and reads it in another), so it runs without the race
// detector: "make test" does so in a step of its own.

package amqp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// pubSubFeatures declares what Watermill's suite may expect. False are
//
//   - ExactlyOnceDelivery: AMQP has no such thing; the promise is at-least-once.
//   - RequireSingleInstance: any number of instances may share a queue.
//   - NewSubscriberReceivesOldMessages: a queue forgets what was acknowledged
//     (that is what streams are for).
//   - ContextPreserved: a context does not cross a broker.
//
// GuaranteedOrder has the suite test the order at all, and with
// GuaranteedOrderWithSingleSubscriber it does so with one subscriber: RabbitMQ
// deals the messages of a queue out to its consumers, so that several of them
// are each in order, but not all together.
//
// Consumer groups are queues: each group has its own, bound to the exchange.
// They are quorum queues; the plain pair has classic ones, because the suite
// allows a minute for 10,000 messages, one at a time, over two restarts.
func pubSubFeatures() tests.Features {
	return tests.Features{
		ConsumerGroups:                      true,
		GuaranteedOrder:                     true,
		GuaranteedOrderWithSingleSubscriber: true,
		Persistent:                          true,
	}
}

func TestWatermillPubSub(t *testing.T) {
	t.Parallel() // it waits most of the time
	node := testenv.PrivateRabbitMQ(t)
	after := &afterPublish{returned: map[string]chan time.Time{}}
	pair := func(t *testing.T) (message.Publisher, message.Subscriber) {
		return notingPublisher{realSink(t, node.URL(), func(*SinkConfig) {}), after},
			patientSubscriber{realSource(t, node.URL(), func(c *SourceConfig) { c.Queue, c.Declare = "", &Declare{Type: QueueClassic} }), after}
	}
	group := func(t *testing.T, name string) (message.Publisher, message.Subscriber) {
		return realSink(t, node.URL(), func(c *SinkConfig) { c.Exchange, c.Declare = "groups", &Exchange{} }),
			&groupSubscriber{t: t, url: node.URL(), group: name}
	}
	t.Run("running", func(t *testing.T) { tests.TestPubSub(t, pubSubFeatures(), pair, group) })

	// Last and alone: the suite does not wait for the restarts that it has asked
	// for, and its other tests give up a message that is refused five times.
	t.Run("restarted", func(t *testing.T) {
		features := pubSubFeatures()
		features.RestartServiceCommand = restartCommand(t, node)
		tests.TestReconnect(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, pair)
	})
}

// groupSubscriber is a consumer group: a queue of its own for each topic.
type groupSubscriber struct {
	t          *testing.T
	url, group string

	mu      sync.Mutex
	sources []*Source
}

func (g *groupSubscriber) source(topic string) *Source {
	s := realSource(g.t, g.url, func(c *SourceConfig) {
		c.Queue = g.group + "." + topic
		c.Declare = &Declare{Exchange: Exchange{Name: "groups"}, RoutingKeys: []string{topic}}
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sources = append(g.sources, s)
	return s
}

func (g *groupSubscriber) SubscribeInitialize(topic string) error {
	return g.source(topic).SubscribeInitialize("")
}

func (g *groupSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return g.source(topic).Subscribe(ctx, "")
}

func (g *groupSubscriber) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for _, s := range g.sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

var _ feed.BatchSubscriber = (*Source)(nil)

// restartCommand returns a command that restarts the node: the suite wants
// one, and the node belongs to this process.
func restartCommand(t *testing.T, node *testenv.Node) []string {
	t.Helper()
	var mu sync.Mutex
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		node.Ctl("stop_app") // the broker, not its virtual machine: the suite gives messages a minute
		node.Ctl("start_app")
		w.WriteHeader(http.StatusNoContent)
	})}}
	server.Start()
	t.Cleanup(server.Close)
	return []string{"bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 >/dev/null", listener.Addr().(*net.TCPAddr).Port)}
}
