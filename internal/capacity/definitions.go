package capacity

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/amqp"
)

// definitions are what RabbitMQ exports and imports. Of an argument or a policy
// only what bounds a queue is of interest.
type definitions struct {
	Queues []struct {
		Name      string          `json:"name"`
		Type      string          `json:"type"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"queues"`
	Bindings []struct {
		Source      string `json:"source"`
		Destination string `json:"destination"`
		Type        string `json:"destination_type"`
	} `json:"bindings"`
	Policies []struct {
		Name       string          `json:"name"`
		Pattern    string          `json:"pattern"`
		ApplyTo    string          `json:"apply-to"`
		Priority   int             `json:"priority"`
		Definition json.RawMessage `json:"definition"`
	} `json:"policies"`
}

// arguments are those of a queue; the keys of a policy lack the x-.
type arguments struct {
	Type        amqp.QueueType `json:"x-queue-type"`
	MaxBytes    int64          `json:"x-max-length-bytes"`
	MaxLength   int64          `json:"x-max-length"`
	MaxAge      string         `json:"x-max-age"`
	Segment     int64          `json:"x-stream-max-segment-size-bytes"`
	Overflow    amqp.Overflow  `json:"x-overflow"`
	DeadLetter  string         `json:"x-dead-letter-exchange"`
	PolicyBytes int64          `json:"max-length-bytes"`
	PolicyLen   int64          `json:"max-length"`
	PolicyAge   string         `json:"max-age"`
	PolicySeg   int64          `json:"stream-max-segment-size-bytes"`
	PolicyOver  amqp.Overflow  `json:"overflow"`
	PolicyDead  string         `json:"dead-letter-exchange"`
}

// policy bounds the queues whose name fits.
type policy struct {
	pattern    *regexp.Regexp
	applyTo    string
	priority   int
	limits     limits
	deadLetter string
}

// fits reports whether the policy is one for the queue.
func (p *policy) fits(q *queue) bool {
	kind := cmp.Or(q.kind, amqp.QueueQuorum)
	switch p.applyTo {
	case "exchanges":
		return false
	case "classic_queues", "quorum_queues", "streams":
		if p.applyTo != map[amqp.QueueType]string{amqp.QueueClassic: "classic_queues", amqp.QueueQuorum: "quorum_queues", amqp.QueueStream: "streams"}[kind] {
			return false
		}
	}
	return p.pattern.MatchString(q.name)
}

// AddDefinitions takes over the queues, bindings and policies of RabbitMQ's
// definitions.json.
func (p *Plan) AddDefinitions(file string, data []byte) error {
	var d definitions
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("%s: these are no definitions of RabbitMQ: %w (export them with rabbitmqctl export_definitions)", file, err)
	}
	for _, q := range d.Queues {
		a, l, err := limitsOf(q.Arguments)
		if err != nil {
			return fmt.Errorf("%s: queue %q: %w", file, q.Name, err)
		}
		known := p.broker.queue(q.Name)
		known.known = true
		// A queue without a type is a classic one to RabbitMQ.
		known.kind = cmp.Or(known.kind, a.Type, amqp.QueueType(q.Type), amqp.QueueClassic)
		known.limits.tighten(l)
		known.deadLetter = cmp.Or(known.deadLetter, a.DeadLetter)
	}
	for _, b := range d.Bindings {
		if q := p.broker.queues[b.Destination]; q != nil && b.Type == "queue" {
			q.exchanges = append(q.exchanges, b.Source)
		}
	}
	for _, item := range d.Policies {
		a, l, err := limitsOf(item.Definition)
		if err != nil {
			return fmt.Errorf("%s: policy %q: %w", file, item.Name, err)
		}
		pattern, err := regexp.Compile(item.Pattern)
		if err != nil {
			return fmt.Errorf("%s: policy %q: %w", file, item.Name, err)
		}
		p.broker.policies = append(p.broker.policies, policy{pattern, item.ApplyTo, item.Priority, l, a.PolicyDead})
	}
	slices.SortStableFunc(p.broker.policies, func(a, b policy) int { return cmp.Compare(b.priority, a.priority) })
	return nil
}

// limitsOf reads the bounds of arguments or of a policy.
func limitsOf(raw json.RawMessage) (a arguments, l limits, _ error) {
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a); err != nil {
			return a, l, err
		}
	}
	age, err := maxAge(cmp.Or(a.MaxAge, a.PolicyAge))
	if err != nil {
		return a, l, err
	}
	return a, limits{
		bytes: feed.Size(cmp.Or(a.MaxBytes, a.PolicyBytes)), messages: cmp.Or(a.MaxLength, a.PolicyLen), age: age,
		segment: feed.Size(cmp.Or(a.Segment, a.PolicySeg)), overflow: cmp.Or(a.Overflow, a.PolicyOver),
	}, nil
}

var streamAge = regexp.MustCompile(`^([0-9]+)([YMDhms])$`)

// maxAge reads the max-age of a stream, such as 7D.
func maxAge(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	m := streamAge.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("max-age %q is none (write a number and one of Y, M, D, h, m, s, such as 7D)", text)
	}
	const day = 24 * time.Hour
	unit := map[string]time.Duration{"Y": 365 * day, "M": 30 * day, "D": day, "h": time.Hour, "m": time.Minute, "s": time.Second}[m[2]]
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n > int64(100*365*day/unit) {
		return 0, fmt.Errorf("max-age %q is out of range (write at most 100Y)", text)
	}
	return time.Duration(n) * unit, nil
}
