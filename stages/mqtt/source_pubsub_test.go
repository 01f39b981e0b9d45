//go:build !race

// Watermill's suite has a data race of its own (TestReconnect appends to a
// slice in one goroutine and reads it in another), so it runs without the race
// detector: "make test" does so in a step of its own.

package mqtt

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// pubSubFeatures declares what Watermill's suite may expect. False are
//
//   - ExactlyOnceDelivery: the promise of QoS 1 is at-least-once.
//   - NewSubscriberReceivesOldMessages: a session forgets what was acknowledged,
//     and a new one knows nothing of what was published before it.
//   - ContextPreserved: a context does not cross a broker.
//
// RequireSingleInstance: a session has one consumer at a time. Many share the
// messages by sessions of their own with a shared subscription, for which the
// suite has no word: it publishes before most of them have a session. Consumer
// groups are sessions: each group has its own.
func pubSubFeatures() tests.Features {
	return tests.Features{
		ConsumerGroups:                      true,
		GuaranteedOrder:                     true,
		GuaranteedOrderWithSingleSubscriber: true,
		Persistent:                          true,
		RequireSingleInstance:               true,
	}
}

func TestWatermillPubSub(t *testing.T) {
	t.Parallel() // it waits most of the time
	broker := testenv.Mosquitto(t, testenv.WithMosquittoSettings("persistence true"))
	features := pubSubFeatures()
	features.RestartServiceCommand = restartCommand(t, broker)
	sessions := &turns{}
	after := &afterPublish{returned: map[string]chan time.Time{}}
	group := func(t *testing.T, name string) (message.Publisher, message.Subscriber) {
		sink := newTestSink(t, broker.URL())
		source := newTestSource(t, broker.URL(), func(c *SourceConfig) { c.ClientID, c.Topics = name, nil })
		return notingPublisher{sink, after}, &oneAtATime{source: source, sessions: sessions, after: after}
	}
	pair := func(t *testing.T) (message.Publisher, message.Subscriber) { return group(t, "pair") }
	tests.TestPubSub(t, features, pair, group)
}

// turns are the sessions in use, by client identifier and topic.
type turns struct{ taken sync.Map }

func (t *turns) of(session string) chan struct{} {
	c, _ := t.taken.LoadOrStore(session, make(chan struct{}, 1))
	return c.(chan struct{})
}

// oneAtATime has the instances of the suite that use one session wait for each
// other, which TestConcurrentClose opens many of at once.
type oneAtATime struct {
	source   *Source
	sessions *turns
	after    *afterPublish

	mu   sync.Mutex
	held map[chan struct{}]bool

	forwarding sync.WaitGroup
}

func (o *oneAtATime) acquire(topic string) {
	turn := o.sessions.of(o.source.config.ClientID + "/" + topic)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held == nil {
		o.held = map[chan struct{}]bool{}
	}
	if !o.held[turn] {
		turn <- struct{}{}
		o.held[turn] = true
	}
}

func (o *oneAtATime) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for turn := range o.held {
		<-turn
	}
	o.held = nil
}

func (o *oneAtATime) SubscribeInitialize(topic string) error {
	o.acquire(topic)
	err := o.source.SubscribeInitialize(topic)
	// Another instance may consume what is published from now on.
	o.mu.Lock()
	defer o.mu.Unlock()
	turn := o.sessions.of(o.source.config.ClientID + "/" + topic)
	<-turn
	delete(o.held, turn)
	return err
}

func (o *oneAtATime) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	o.acquire(topic)
	in, err := o.source.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	o.forwarding.Go(func() {
		defer close(out)
		for m := range in {
			o.after.wait(m.UUID)
			select {
			case out <- m:
			case <-m.Context().Done():
			}
		}
	})
	return out, nil
}

func (o *oneAtATime) Close() error {
	err := o.source.Close()
	o.forwarding.Wait()
	o.release()
	return err
}

// afterPublish holds messages back until a moment after their Publish has
// returned: TestReconnect notes what it has published in another goroutine,
// after Publish, and a subscriber that is faster than that note fails it.
type afterPublish struct {
	mu       sync.Mutex
	returned map[string]chan time.Time // by UUID; holds the time once known
}

// noteDelay is far more than the suite takes for its note.
const noteDelay = 100 * time.Millisecond

func (a *afterPublish) of(uuid string) chan time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.returned[uuid] == nil {
		a.returned[uuid] = make(chan time.Time, 1)
	}
	return a.returned[uuid]
}

func (a *afterPublish) wait(uuid string) {
	returned := a.of(uuid)
	at := <-returned
	returned <- at // for the next time that it comes
	<-time.After(time.Until(at.Add(noteDelay)))
}

type notingPublisher struct {
	*Sink
	after *afterPublish
}

func (p notingPublisher) Publish(topic string, messages ...*message.Message) error {
	if err := p.Sink.Publish(topic, messages...); err != nil {
		return err
	}
	for _, m := range messages {
		select {
		case p.after.of(m.UUID) <- time.Now():
		default: // published before
		}
	}
	return nil
}

// restartCommand returns a command that restarts the broker: the suite wants
// one, and the broker belongs to this process.
func restartCommand(t *testing.T, broker *testenv.Broker) []string {
	t.Helper()
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		broker.Stop()
		broker.Start()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	port := server.URL[strings.LastIndexByte(server.URL, ':')+1:]
	return []string{"bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%s; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 >/dev/null", port)}
}
