package amqp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// shardsOf declares shards with the given names behind the exchange "plant".
func shardsOf(queues ...string) *Declare {
	return &Declare{
		SingleActiveConsumer: true,
		Exchange:             Exchange{Name: "plant"}, RoutingKeys: []string{"telemetry.#"},
		Shards: Shards{Exchange: "shards", Queues: queues},
	}
}

func TestShardsAreAllBoundBeforeTheFirstMessage(t *testing.T) {
	b := newFakeBroker()
	d := shardsOf("q", "r")
	d.MaxLength, d.Bindings = 10, []Binding{{"other", "x.*"}}
	sub, err := fakeSource(t, b, func(s *SourceConfig) { s.Declare = d }).SubscribeBatch(t.Context(), "")
	noError(t, err)
	noError(t, sub.Close())
	arguments := "durable=true map[x-max-length:10 x-overflow:reject-publish x-queue-type:quorum x-single-active-consumer:true]"
	want := []string{
		"exchange plant topic durable=true",
		"exchange shards x-modulus-hash durable=true",
		"queue q " + arguments, "bind q  shards",
		"queue r " + arguments, "bind r  shards",
		"bind exchange shards telemetry.# plant", "bind exchange shards x.* other",
	}
	if !slices.Equal(b.declared, want) {
		t.Errorf("declared\n%s\nwant\n%s", strings.Join(b.declared, "\n"), strings.Join(want, "\n"))
	}
}

func TestShardsConfig(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Declare)
		want   []string
	}{
		"good":        {func(*Declare) {}, nil},
		"no exchange": {func(d *Declare) { d.Shards.Exchange = "" }, []string{"declare.shards.exchange"}},
		"no queues":   {func(d *Declare) { d.Shards.Queues = nil }, []string{"declare.shards.queues"}},
		"one queue":   {func(d *Declare) { d.Shards.Queues = []string{"q"} }, []string{"declare.shards.queues"}},
		"twice":       {func(d *Declare) { d.Shards.Queues = []string{"q", "r", "q"} }, []string{"declare.shards.queues[2]"}},
		"empty name":  {func(d *Declare) { d.Shards.Queues = []string{"q", ""} }, []string{"declare.shards.queues[1]"}},
		"long names": {func(d *Declare) {
			d.Shards = Shards{Exchange: strings.Repeat("x", 256), Queues: []string{"q", strings.Repeat("q", 256)}}
		}, []string{"declare.shards.exchange", "declare.shards.queues[1]"}},
		"another queue":         {func(d *Declare) { d.Shards.Queues = []string{"r", "s"} }, []string{"declare.shards.queues"}},
		"one exchange for both": {func(d *Declare) { d.Shards.Exchange = "plant" }, []string{"declare.shards.exchange"}},
		"many consumers":        {func(d *Declare) { d.SingleActiveConsumer = false }, []string{"declare.singleActiveConsumer"}},
	} {
		config := DefaultSourceConfig()
		config.URL, config.Queue, config.Declare = feed.NewURL("amqp://h"), "q", shardsOf("q", "r")
		c.change(config.Declare)
		if got := keysOf(config.Validate()); !slices.Equal(got, c.want) {
			t.Errorf("%s: keys %v, want %v", name, got, c.want)
		}
	}
}

// Also when the queue is only known when the source subscribes to it.
func TestAQueueThatIsNoShardIsRefused(t *testing.T) {
	b := newFakeBroker()
	_, err := fakeSource(t, b, func(s *SourceConfig) { s.Queue, s.Declare = "", shardsOf("a", "b") }).SubscribeBatch(t.Context(), "q")
	var c *feed.ConfigError
	if !errors.As(err, &c) || c.Key != "declare.shards.queues" || !strings.Contains(c.Problem, `"q"`) || c.Remedy == "" {
		t.Errorf("got %v", err)
	}
}

func TestShardsExchangeErrorsAreExplained(t *testing.T) {
	for _, c := range []struct {
		err    error
		config bool
		parts  []string
	}{
		{&amqp091.Error{Code: 503, Reason: "COMMAND_INVALID - unknown exchange type 'x-modulus-hash'"}, true, []string{"rabbitmq-plugins enable rabbitmq_sharding"}},
		{&amqp091.Error{Code: 406, Reason: "PRECONDITION_FAILED - unknown exchange type 'x-modulus-hash'"}, true, []string{"rabbitmq-plugins enable rabbitmq_sharding"}},
		{&amqp091.Error{Code: 406, Reason: "PRECONDITION_FAILED - inequivalent arg 'type'"}, true, []string{"no durable exchange", "another name"}},
		{&amqp091.Error{Code: 403, Reason: "ACCESS_REFUSED"}, false, []string{`declare exchange "shards"`, "ACCESS_REFUSED"}},
		{errors.New("connection reset"), false, []string{"connection reset"}},
	} {
		err := explainShards("shards", c.err)
		var ce *feed.ConfigError
		if errors.As(err, &ce) != c.config {
			t.Errorf("%v became %v", c.err, err)
		}
		for _, part := range c.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v became %v, without %q", c.err, err, part)
			}
		}
	}
}

// TestShardsOnRabbitMQ: every key keeps its shard, also when the node was
// restarted and when a feed names the shards in another order.
func TestShardsOnRabbitMQ(t *testing.T) {
	t.Parallel() // it waits most of the time
	const keys = 200
	node := testenv.PrivateRabbitMQ(t)
	names := []string{"shard-2", "shard-0", "shard-10", "shard-1"}
	shards := func(queue string, queues ...string) *Source {
		return realSource(t, node.URL(), func(c *SourceConfig) { c.Queue, c.Declare = queue, shardsOf(queues...) })
	}
	// homes publishes a message of each key and finds where it went.
	homes := func() map[string]string {
		t.Helper()
		p := newPublisher(t, node.URL())
		for i := range keys {
			c, err := p.ch.PublishWithDeferredConfirm("plant", fmt.Sprintf("telemetry.line.%d", i), true, false, amqp091.Publishing{})
			noError(t, err)
			if !c.Wait() {
				t.Fatal("the broker refused a message")
			}
		}
		arrived := make(chan amqp091.Delivery, keys)
		var reading sync.WaitGroup
		for _, q := range names {
			ds, err := p.ch.Consume(q, q, true, false, false, false, nil)
			noError(t, err)
			reading.Go(func() {
				for d := range ds {
					arrived <- d
				}
			})
		}
		home := map[string]string{}
		for range keys {
			select {
			case d := <-arrived:
				home[d.RoutingKey] = d.ConsumerTag
			case <-time.After(soon):
				t.Fatalf("%d of %d keys arrived", len(home), keys)
			}
		}
		noError(t, p.conn.Close())
		reading.Wait()
		if len(home) != keys {
			t.Fatalf("%d different keys arrived, want %d", len(home), keys)
		}
		return home
	}
	noError(t, shards("shard-0", names...).Probe(t.Context()))
	first := homes()
	load := map[string]int{}
	for _, q := range first {
		load[q]++
	}
	for _, q := range names {
		if load[q] < keys/len(names)/2 {
			t.Errorf("%d of %d keys on %s, want a fair part: %v", load[q], keys, q, load)
		}
	}

	node.Stop()
	node.Start()
	slices.Sort(names)
	noError(t, shards("shard-10", names...).Probe(t.Context()))
	moved := 0
	for key, q := range homes() {
		if first[key] != q {
			moved++
		}
	}
	if moved > 0 {
		t.Errorf("a restart moved %d of %d keys to another shard", moved, keys)
	}

	// What switching the plugin off does to the type.
	node.Ctl("eval", `rabbit_registry:unregister(exchange, <<"x-modulus-hash">>).`)
	err := shards("shard-0", names...).Probe(t.Context())
	var c *feed.ConfigError
	if !errors.As(err, &c) || !strings.Contains(c.Remedy, "rabbitmq-plugins enable rabbitmq_sharding") {
		t.Errorf("without the plugin: %v", err)
	}
}
