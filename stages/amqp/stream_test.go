package amqp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// streamPlace is a stream and a source of it, on a fake or on a real broker.
type streamPlace struct {
	source *Source
	append func(bodies ...string)
	wipe   func()
	cut    func()
}

// onStreams runs a test on both. quiet is how long the source waits before it
// looks for the end of the stream.
func onStreams(t *testing.T, test func(t *testing.T, p streamPlace)) {
	t.Run("fake", func(t *testing.T) {
		b := newFakeBroker()
		b.streams["q"] = &fakeStream{}
		source := fakeSource(t, b, func(c *SourceConfig) { c.Prefetch, c.Declare = 10, &Declare{Type: QueueStream} })
		source.quiet = 50 * time.Millisecond
		test(t, streamPlace{
			source: source,
			append: func(bodies ...string) { b.append("q", bodies...) },
			wipe: func() {
				b.mu.Lock()
				b.streams["q"] = &fakeStream{}
				b.mu.Unlock()
				b.cut()
			},
			cut: b.cut,
		})
	})
	t.Run("RabbitMQ", func(t *testing.T) {
		v := testenv.RabbitMQ(t)
		proxy := testenv.Proxy(t, v.Addr)
		source := realSource(t, v.URLAt(proxy.Addr), func(c *SourceConfig) { c.Prefetch, c.Declare = 10, &Declare{Type: QueueStream} })
		source.quiet = time.Second
		noError(t, source.SubscribeInitialize(""))
		test(t, streamPlace{
			source: source,
			append: func(bodies ...string) {
				p := newPublisher(t, v.URL())
				var payloads [][]byte
				for _, b := range bodies {
					payloads = append(payloads, []byte(b))
				}
				p.put(t, "q", payloads...)
			},
			wipe: func() {
				v.DeleteQueue(t, "q")
				noError(t, source.SubscribeInitialize(""))
			},
			cut: func() { proxy.Cut() },
		})
	})
}

func bodies(from, to int) []string {
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprintf("m%03d", i))
	}
	return all
}

func at(offset uint64) *feed.Position {
	return &feed.Position{Offset: offset, SHA256: sha256.Sum256(fmt.Appendf(nil, "m%03d", offset))}
}

// readStream receives n deliveries and checks that they are those from the
// offset on.
func readStream(t *testing.T, sub feed.Subscription, from, n int) []feed.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var ds []feed.Delivery
	for len(ds) < n {
		var err error
		if ds, err = sub.Receive(ctx, ds, n-len(ds)); err != nil {
			t.Fatalf("receive: got %d of %d, then %v", len(ds), n, err)
		}
	}
	for i, d := range ds {
		if want := fmt.Sprintf("m%03d", from+i); string(d.Message.Payload) != want || d.Tag != uint64(from+i+1) {
			t.Fatalf("delivery %d is %q with the tag %d, want %q with %d", i, d.Message.Payload, d.Tag, want, from+i+1)
		}
	}
	return ds
}

func TestStreamIsReadFromAnOffset(t *testing.T) {
	onStreams(t, func(t *testing.T, p streamPlace) {
		p.append(bodies(0, 99)...)
		for _, tt := range []struct {
			resume feed.Resumption
			from   int
		}{
			{feed.Resumption{}, 0},
			{feed.Resumption{Committed: at(42)}, 42},
			{feed.Resumption{Committed: at(99)}, 99},
			{feed.Resumption{Committed: at(42), Pending: &feed.Range{First: 43, Last: *at(99)}}, 42},
		} {
			sub, err := p.source.SubscribeFrom(t.Context(), "", tt.resume)
			noError(t, err)
			// More than the prefetch, and nothing of it is settled.
			ds := readStream(t, sub, tt.from, 100-tt.from)
			original, err := sub.(feed.Describer).Describe(ds[0].Tag)
			noError(t, err)
			if original.Origin != "stream q" || !strings.Contains(string(original.Properties), offsetHeader) {
				t.Errorf("described as %+v", original)
			}
			var settled []feed.Settlement
			for _, d := range ds {
				settled = append(settled, feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered})
			}
			noError(t, sub.Settle(t.Context(), settled))
			if err := sub.Settle(t.Context(), settled[:1]); err == nil {
				t.Error("what is settled was settled again")
			}
			noError(t, sub.Close())
			noError(t, sub.Close())
			if _, err := sub.Receive(t.Context(), nil, 1); !errors.Is(err, errSubscriptionClosed) {
				t.Errorf("receive after close: %v", err)
			}
		}
	})
}

func TestStreamOnesMayWait(t *testing.T) {
	onStreams(t, func(t *testing.T, p streamPlace) {
		sub, err := p.source.SubscribeFrom(t.Context(), "", feed.Resumption{}) // of an empty stream
		noError(t, err)
		defer sub.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if ds, err := sub.Receive(ctx, nil, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("receive from an empty stream: %v, %v", ds, err)
		}
		p.append(bodies(0, 2)...)
		readStream(t, sub, 0, 3)
		p.cut()
		if _, err := sub.Receive(t.Context(), nil, 1); err == nil {
			t.Error("receive over a lost connection succeeds")
		}
	})
}

// The broker is silent about an offset beyond the end.
func TestStreamThatEndsBefore(t *testing.T) {
	t.Parallel() // it waits most of the time
	onStreams(t, func(t *testing.T, p streamPlace) {
		for _, tt := range []struct {
			name   string
			resume feed.Resumption
			ends   bool
		}{
			{"empty", feed.Resumption{Committed: at(5)}, true},
			{"empty, with a range begun", feed.Resumption{Pending: &feed.Range{Last: *at(5)}}, true},
			{"shorter", feed.Resumption{Committed: at(20)}, true},
			{"shorter than a range begun", feed.Resumption{Committed: at(5), Pending: &feed.Range{First: 6, Last: *at(20), Deliveries: 15}}, true},
			{"just long enough", feed.Resumption{Committed: at(9)}, false},
			{"just long enough for a range begun", feed.Resumption{Committed: at(5), Pending: &feed.Range{First: 6, Last: *at(9), Deliveries: 4}}, false},
		} {
			t.Run(tt.name, func(t *testing.T) {
				if !strings.HasPrefix(tt.name, "empty") {
					p.wipe()
					p.append(bodies(0, 9)...)
				}
				sub, err := p.source.SubscribeFrom(t.Context(), "", tt.resume)
				if errors.Is(err, feed.ErrStreamEndsBefore) != tt.ends {
					t.Fatalf("subscribe: %v", err)
				}
				if err == nil {
					noError(t, sub.Close())
				}
			})
		}
	})
}

// A stream that was declared anew and is busy never falls silent.
func TestStreamThatEndsBeforeAndGrows(t *testing.T) {
	b := newFakeBroker()
	b.streams["q"] = &fakeStream{}
	source := fakeSource(t, b, func(c *SourceConfig) { c.Declare = &Declare{Type: QueueStream} })
	source.quiet = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			b.append("q", "another")
			<-tick.C
		}
	})
	_, err := source.SubscribeFrom(t.Context(), "", feed.Resumption{Committed: at(1_000_000)})
	if !errors.Is(err, feed.ErrStreamEndsBefore) {
		t.Errorf("subscribe: %v, want feed.ErrStreamEndsBefore", err)
	}
	cancel()
	writer.Wait()
}

// A replica that was away hands out what it has, while the others fill it up.
func TestStreamThatCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBroker()
		b.streams["q"] = &fakeStream{}
		b.append("q", "m000")
		source := fakeSource(t, b, func(c *SourceConfig) { c.Declare = &Declare{Type: QueueStream} })
		source.quiet = 50 * time.Millisecond
		const reach = 3000
		var others sync.WaitGroup
		defer others.Wait()
		others.Go(func() {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for i := 1; i <= reach; i += 3 { // takes several times what a growing stream is watched for
				b.append("q", bodies(i, i+2)...)
				<-tick.C
			}
		})
		sub, err := source.SubscribeFrom(t.Context(), "", feed.Resumption{Pending: &feed.Range{Last: *at(reach), Deliveries: reach + 1}})
		noError(t, err)
		readStream(t, sub, 0, reach)
		noError(t, sub.Close())
	})
}

// What retention has dropped shows by the first offset.
func TestStreamBeginsBehindAGap(t *testing.T) {
	b := newFakeBroker()
	b.streams["q"] = &fakeStream{}
	b.append("q", bodies(0, 9)...)
	b.dropHead("q", 5)
	source := fakeSource(t, b, func(c *SourceConfig) { c.Declare = &Declare{Type: QueueStream} })
	sub, err := source.SubscribeFrom(t.Context(), "", feed.Resumption{Committed: at(2)})
	noError(t, err)
	readStream(t, sub, 5, 5)
	noError(t, sub.Close())
}

// A stream that is consumed as a queue hands out only what comes from then on,
// which the source cannot know, but by the header.
func TestStreamReadAsAQueueIsWarnedOf(t *testing.T) {
	for name, tt := range map[string]struct {
		headers amqp091.Table
		warns   bool
	}{
		"a stream":                     {amqp091.Table{offsetHeader: int64(5)}, true},
		"a queue":                      {nil, false},
		"what another feed has copied": {amqp091.Table{offsetHeader: "5"}, false},
	} {
		b := newFakeBroker("q")
		var log bytes.Buffer
		c := DefaultSourceConfig()
		c.URL, c.Queue = feed.NewURL("amqp://fake"), "q"
		source, err := newSource(c, feed.StageEnv{Logger: slog.New(slog.NewTextHandler(&log, nil))}, b.dial)
		noError(t, err)
		b.mu.Lock()
		b.enqueue("q", "k", amqp091.Publishing{Headers: tt.headers})
		b.enqueue("q", "k", amqp091.Publishing{Headers: tt.headers})
		b.mu.Unlock()
		sub, err := source.SubscribeBatch(t.Context(), "")
		noError(t, err)
		for range 2 {
			_, err = sub.Receive(t.Context(), nil, 1)
			noError(t, err)
		}
		noError(t, sub.Close())
		noError(t, source.Close())
		if n := strings.Count(log.String(), "declare: {type: stream}"); n > 1 || (n == 1) != tt.warns {
			t.Errorf("%s: the log is %q", name, log.String())
		}
	}
}

// RabbitMQ takes an offset that its retention has dropped for the first one that
// there is, without a word.
func TestStreamBeginsBehindRetention(t *testing.T) {
	v := testenv.RabbitMQ(t)
	source := realSource(t, v.URL(), func(c *SourceConfig) {
		c.Declare = &Declare{Type: QueueStream, MaxBytes: 100_000, SegmentBytes: 50_000}
	})
	noError(t, source.SubscribeInitialize(""))
	p := newPublisher(t, v.URL())
	first := func() uint64 {
		sub, err := source.SubscribeFrom(t.Context(), "", feed.Resumption{Committed: at(0)})
		noError(t, err)
		defer sub.Close()
		ds, err := sub.Receive(t.Context(), nil, 1)
		noError(t, err)
		return ds[0].Tag - 1
	}
	testenv.Eventually(t, time.Minute, "retention to drop something", func() bool {
		p.put(t, "q", bytes.Repeat([]byte("x"), 20_000), bytes.Repeat([]byte("y"), 20_000))
		return first() > 0
	})
}

// lastRange is a sink that keeps the last range in memory.
type lastRange struct {
	feedtest.Sink
	last *feed.Position
	got  chan int
}

func (s *lastRange) Checkpoints() bool { return true }
func (s *lastRange) Resume(context.Context, string) (feed.Resumption, error) {
	return feed.Resumption{Generation: 1, Committed: s.last}, nil
}
func (s *lastRange) Renew(context.Context) (feed.Resumption, error) {
	return feed.Resumption{}, errors.New("the stream is another one")
}
func (s *lastRange) PublishBatch(ctx context.Context, b *feed.Batch) error {
	s.last = &b.Range.Last
	s.got <- len(b.Messages)
	return nil
}

// RabbitMQ uses an offset for itself at the begin of a segment when publishers have
// confirms. That is no loss; what retention takes is.
func TestStreamOffsetsWithoutMessages(t *testing.T) {
	v := testenv.RabbitMQ(t)
	source := realSource(t, v.URL(), func(c *SourceConfig) {
		c.Declare = &Declare{Type: QueueStream, SegmentBytes: 50_000}
	})
	noError(t, source.SubscribeInitialize(""))
	const messages = 300
	p := newPublisher(t, v.URL())
	for i := range messages {
		p.put(t, "q", fmt.Appendf(make([]byte, 0, 1000), "%1000d", i))
	}
	sink := &lastRange{got: make(chan int, messages)}
	f, err := feed.New(feed.Options{Quarantine: &feedtest.Quarantine{}}, feed.Route{Name: "r", Source: source, Sink: sink})
	noError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	for n := 0; n < messages; {
		select {
		case more := <-sink.got:
			n += more
		case <-time.After(time.Minute):
			t.Fatalf("%d of %d messages came: %+v", n, messages, f.Status().Routes[0])
		}
	}
	o := *f.Status().Routes[0].Offsets
	cancel()
	noError(t, <-ended)
	if o.Received < messages {
		t.Fatalf("the last message has offset %d: the broker has used none for itself, and nothing was tested", o.Received)
	}
	if o.Missing != 0 {
		t.Errorf("%d messages took %d offsets, and %d are said to be missing", messages, o.Received+1, o.Missing)
	}
}

func TestStreamNeedsSomebodyWhoRemembers(t *testing.T) {
	source := fakeSource(t, newFakeBroker(), func(c *SourceConfig) { c.Declare = &Declare{Type: QueueStream} })
	var config *feed.ConfigError
	if _, err := source.SubscribeBatch(t.Context(), ""); !errors.As(err, &config) {
		t.Errorf("SubscribeBatch: %v, want a *feed.ConfigError", err)
	}
	if _, err := source.Subscribe(t.Context(), ""); !errors.As(err, &config) {
		t.Errorf("Subscribe: %v, want a *feed.ConfigError", err)
	}
	queue := fakeSource(t, newFakeBroker("q"), func(*SourceConfig) {})
	if _, err := queue.SubscribeFrom(t.Context(), "", feed.Resumption{}); !errors.As(err, &config) {
		t.Errorf("SubscribeFrom a queue: %v, want a *feed.ConfigError", err)
	}
	if name, ok := queue.Stream(""); ok {
		t.Errorf("a queue is the stream %q", name)
	}
}

func TestStreamDeclaration(t *testing.T) {
	d := &Declare{Type: QueueStream, MaxBytes: 20 * feed.GiB, MaxAge: 168 * time.Hour, SegmentBytes: 100 * feed.MiB}
	want := amqp091.Table{
		"x-queue-type": "stream", "x-max-length-bytes": int64(20 << 30), "x-max-age": "604800s", "x-stream-max-segment-size-bytes": int64(100 << 20),
	}
	if got := d.arguments(4); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("arguments %v, want %v", got, want)
	}
	v := testenv.RabbitMQ(t)
	source := realSource(t, v.URL(), func(c *SourceConfig) { c.Declare = d })
	noError(t, source.SubscribeInitialize(""))
	noError(t, source.SubscribeInitialize("")) // as it is there
	other := realSource(t, v.URL(), func(c *SourceConfig) { c.Declare = &Declare{Type: QueueStream, MaxBytes: feed.GiB} })
	var config *feed.ConfigError
	if err := other.SubscribeInitialize(""); !errors.As(err, &config) || config.Key != "declare.maxBytes" {
		t.Errorf("declared otherwise: %v, want a *feed.ConfigError for declare.maxBytes", err)
	}
}

// TestEndOfAStream is in its last chunk, which holds all that came at once.
func TestEndOfAStream(t *testing.T) {
	onStreams(t, func(t *testing.T, p streamPlace) {
		if _, found, err := p.source.End(t.Context(), ""); found || err != nil {
			t.Errorf("the end of an empty stream: %v, %v", found, err)
		}
		p.append(bodies(0, 299)...)
		end, found, err := p.source.End(t.Context(), "")
		if !found || err != nil || end > 299 {
			t.Errorf("the end is at %d, %v, %v", end, found, err)
		}
		p.append("last")
		if end, found, err := p.source.End(t.Context(), ""); !found || err != nil || end != 300 {
			t.Errorf("the end is at %d, %v, %v, want 300", end, found, err)
		}
	})
}
