package bridge

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// ReasonUnmatched is the reason with which messages are filtered that no rule
// matches.
const ReasonUnmatched = "no matching rule"

// Bridge gives messages their MQTT topic.
type Bridge struct {
	index     *index
	cache     *cache // nil: none
	separator byte
	filter    bool
	maxBytes  int
}

// NewBridge returns a bridge with the given rules. It fails with what
// [Config.Validate] reports, and does no I/O.
func NewBridge(c Config, _ feed.StageEnv) (*Bridge, error) {
	rules, err := compile(&c)
	if err != nil {
		return nil, err
	}
	return &Bridge{
		index:     newIndex(rules),
		cache:     newCache(c.CacheKeys),
		separator: c.Separator[0],
		filter:    c.Unmatched == UnmatchedFilter,
		maxBytes:  c.MaxTopicBytes,
	}, nil
}

// Handle sets the topic of m, and the metadata that its rule sets, and returns
// m. It is a [message.HandlerFunc], never blocks, retains nothing of m, and is
// safe for concurrent use. On an error m is as it was: a [feed.Filter] or
// [feed.Permanent] error says that no rule matches, a permanent one also that
// the topic would be empty or too long.
func (b *Bridge) Handle(m *message.Message) ([]*message.Message, error) {
	routingKey := feed.Topic(m)
	r, err := b.result(routingKey, m.Metadata)
	if err != nil {
		return nil, err
	}
	feed.SetTopic(m, r.topic)
	for i, value := range r.set {
		m.Metadata[r.rule.set[i].name] = value
	}
	return []*message.Message{m}, nil
}

func (b *Bridge) result(routingKey string, md message.Metadata) (result, error) {
	if b.cache != nil {
		if r := b.cache.get(routingKey); r != nil {
			return r.result, nil
		}
	}
	var v values
	r, byKeyAlone := b.match(routingKey, md, &v)
	if r == nil {
		return result{}, b.unmatched(routingKey)
	}
	topic, err := b.topic(r, &v)
	if err != nil {
		return result{}, err
	}
	made := result{topic: topic, rule: r}
	if len(r.set) > 0 {
		made.set = make([]string, len(r.set))
		for i := range r.set {
			made.set[i] = expand(r.set[i].template, &v)
		}
	}
	if b.cache != nil && byKeyAlone {
		b.cache.put(routingKey, made)
	}
	return made, nil
}

// match returns the first rule that matches, or nil, and whether that was
// decided by the routing key alone.
func (b *Bridge) match(routingKey string, md message.Metadata, v *values) (r *rule, byKeyAlone bool) {
	var buf [16]string
	parts := appendParts(buf[:0], routingKey, b.separator)
	byKeyAlone = true
	for _, r := range b.index.candidates(parts) {
		if !r.key.match(routingKey, parts, v) {
			continue
		}
		if len(r.headers) > 0 {
			byKeyAlone = false
			if !r.matchHeaders(md, v) {
				continue
			}
		}
		return r, byKeyAlone
	}
	return nil, byKeyAlone
}

func (b *Bridge) topic(r *rule, v *values) (string, error) {
	var buf [256]byte
	topic := appendTopic(buf[:0], r.topic, v, b.separator)
	switch {
	case len(topic) == 0:
		return "", feed.Permanent(errors.New("the topic is empty, which MQTT does not allow"))
	case len(topic) > b.maxBytes:
		return "", feed.Permanent(fmt.Errorf("the topic has %d bytes, more than maxTopicBytes %d: %s", len(topic), b.maxBytes, bounded(string(topic[:min(len(topic), quoteBytes+1)]), len(topic))))
	}
	return string(topic), nil
}

func (b *Bridge) unmatched(routingKey string) error {
	if b.filter {
		return feed.Filter(ReasonUnmatched)
	}
	return feed.Permanent(fmt.Errorf("no rule matches routing key %s", bounded(routingKey, len(routingKey))))
}

// quoteBytes is how much of a foreign text an error shows.
const quoteBytes = 255

// bounded quotes the beginning of s, whose full length is total.
func bounded(s string, total int) string {
	if len(s) <= quoteBytes {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(s[:quoteBytes]), total)
}
