package amqp

import (
	"errors"
	"slices"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

func TestDeclare(t *testing.T) {
	full := &Declare{
		Exchange: Exchange{Name: "x"}, RoutingKeys: []string{"a.#"}, Bindings: []Binding{{"y", "b"}},
		MaxLength: 10, MaxBytes: feed.MiB, SingleActiveConsumer: true,
		DeadLetter: DeadLetter{Exchange: "d", Queue: "dq", RoutingKey: "dead"},
	}
	for _, c := range []struct {
		name, version string
		declare       *Declare
		want          []string
	}{
		{"3.x", "3.10.8", full, []string{
			"exchange x topic durable=true",
			"exchange d fanout durable=true",
			"queue dq durable=true map[x-queue-type:quorum]",
			"bind dq  d",
			"queue q durable=true map[x-dead-letter-exchange:d x-dead-letter-routing-key:dead x-dead-letter-strategy:at-least-once " +
				"x-max-length:10 x-max-length-bytes:1048576 x-overflow:reject-publish x-queue-type:quorum x-single-active-consumer:true]",
			"bind q a.# x", "bind q b y",
		}},
		{"4.x", "4.0.5", &Declare{DeadLetter: DeadLetter{Exchange: "d", Queue: "dq", Strategy: AtMostOnce}}, []string{
			"exchange d fanout durable=true",
			"queue dq durable=true map[x-delivery-limit:-1 x-queue-type:quorum]",
			"bind dq  d",
			"queue q durable=true map[x-dead-letter-exchange:d x-delivery-limit:-1 x-overflow:reject-publish x-queue-type:quorum]",
		}},
		{"classic on 4.x", "4.1.0", &Declare{Type: QueueClassic, Transient: true, Overflow: OverflowDropHead}, []string{
			"queue q durable=false map[x-overflow:drop-head x-queue-type:classic]",
		}},
		{"unknown version", "", &Declare{}, []string{"queue q durable=true map[x-overflow:reject-publish x-queue-type:quorum]"}},
	} {
		b := newFakeBroker()
		b.version = c.version
		sub, err := fakeSource(t, b, func(s *SourceConfig) { s.Declare = c.declare }).SubscribeBatch(t.Context(), "")
		noError(t, err)
		noError(t, sub.Close())
		if !slices.Equal(b.declared, c.want) {
			t.Errorf("%s: declared\n%s\nwant\n%s", c.name, strings.Join(b.declared, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestMismatchIsExplained(t *testing.T) {
	for reason, want := range map[string][2]string{
		"PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type 'longstr' but current is none": {
			"declare.type", "another x-queue-type: the configuration asks for quorum, the broker has none"},
		"PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'": {
			"declare.transient", "another durable: the configuration asks for true, the broker has false"},
		"PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'it's' in vhost 'a': received the value '10' of type 'signedint' but current is the value '5' of type 'long'": {
			"declare.maxLength", "another x-max-length: the configuration asks for 10 (signedint), the broker has 5 (long)"},
		"PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value '10' of type 'long'": {
			"declare", "another x-message-ttl: the configuration asks for none, the broker has 10 (long)"},
		"PRECONDITION_FAILED - inequivalent arg 'x-max-length-bytes' for queue 'q' in vhost '/': received the value '4294967296' of type 'signedint' but current is none": {
			"declare.maxBytes", "the broker has none; RabbitMQ names only the first argument that differs, so that queue \"q\" may be of another type, a stream for example"},
		"PRECONDITION_FAILED - invalid property 'x' for queue 'q'": {
			"declare", "the broker refuses the declaration of queue \"q\": PRECONDITION_FAILED - invalid property"},
	} {
		err := explainMismatch("queue", "q", "declare", &amqp091.Error{Code: 406, Reason: reason, Server: true})
		var c *feed.ConfigError
		if !errors.As(err, &c) || c.Key != want[0] || !strings.Contains(c.Problem, want[1]) || c.Remedy == "" {
			t.Errorf("%s\nbecame %v", reason, err)
		}
	}
	reason := "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'e' in vhost '/': received 'topic' but current is 'fanout'"
	if err := explainMismatch("exchange", "e", "declare.exchange", &amqp091.Error{Code: 406, Reason: reason, Server: true}); strings.Contains(err.Error(), "first argument") {
		t.Errorf("an exchange has no arguments that could hide a type: %v", err)
	}
	err := explainMismatch("queue", "q", "declare", &amqp091.Error{Code: 405, Reason: "RESOURCE_LOCKED", Server: true})
	var c *feed.ConfigError
	if errors.As(err, &c) {
		t.Errorf("a locked queue became a configuration error: %v", err)
	}
}

// FuzzExplainMismatch: no text of a broker makes it panic or lose the error.
func FuzzExplainMismatch(f *testing.F) {
	f.Add("inequivalent arg 'x' for queue 'q' in vhost '/': received the value '1' of type 'long' but current is none")
	f.Add("inequivalent arg '' for exchange '' in vhost '': received '' but current is ''")
	f.Fuzz(func(t *testing.T, reason string) {
		if err := explainMismatch("queue", "q", "declare", &amqp091.Error{Code: 406, Reason: reason}); err == nil || err.Error() == "" {
			t.Fatal("the error is gone")
		}
	})
}
