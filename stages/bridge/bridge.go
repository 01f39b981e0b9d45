package bridge

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// ReasonUnmatched is the reason with which messages are filtered that no rule
// matches.
const ReasonUnmatched = "no matching rule"

// Bridge gives messages their MQTT topic.
type Bridge struct {
	index     *index
	pointers  *jsonscan.Pointers // of the fields of all rules
	cache     *cache             // nil: none
	separator byte
	filter    bool
	maxBytes  int
}

// NewBridge returns a bridge with the given rules. It fails with what
// [Config.Validate] reports, and does no I/O.
func NewBridge(c Config, _ feed.StageEnv) (*Bridge, error) {
	rules, pointers, err := compile(&c)
	if err != nil {
		return nil, err
	}
	return &Bridge{
		index:     newIndex(rules),
		pointers:  pointers,
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
// the topic would be empty or too long, or that the payload's fields cannot be
// read.
func (b *Bridge) Handle(m *message.Message) ([]*message.Message, error) {
	r, err := b.result(m)
	if err != nil {
		return nil, err
	}
	feed.SetTopic(m, r.topic)
	for i, value := range r.set {
		m.Metadata[r.rule.set[i].name] = value
	}
	return []*message.Message{m}, nil
}

func (b *Bridge) result(m *message.Message) (result, error) {
	q := question{key: feed.Topic(m)}
	if known := b.cache.get(q.key, nil); known != nil {
		if known.want != 0 {
			return b.resultByFields(q, m, known.want, true)
		}
		return known.result, nil
	}
	var v values
	r, want, byKeyAlone := b.match(&q, 0, m.Metadata, &v)
	if want != 0 {
		if byKeyAlone {
			b.cache.put(remembered{question: q, want: want})
		}
		return b.resultByFields(q, m, want, byKeyAlone)
	}
	return b.answer(q, r, &v, byKeyAlone)
}

// resultByFields reads the wanted fields and answers with them. The answer may
// be remembered when nothing but the routing key says which are wanted.
func (b *Bridge) resultByFields(q question, m *message.Message, want jsonscan.Mask, remember bool) (result, error) {
	var buf [256]byte
	fields, err := appendFields(buf[:0], m.Payload, b.pointers, want)
	if err != nil {
		return result{}, err
	}
	if remember {
		if known := b.cache.get(q.key, fields); known != nil {
			return known.result, nil
		}
	}
	q.fields = string(fields)
	var v values
	r, _, _ := b.match(&q, want, m.Metadata, &v)
	return b.answer(q, r, &v, remember)
}

// match returns the first rule that matches, or nil, and whether that was
// decided by the routing key alone. As long as no fields are known it may
// return instead which ones it wants: those of all rules that match otherwise,
// up to the first that has no fields.
func (b *Bridge) match(q *question, known jsonscan.Mask, md message.Metadata, v *values) (r *rule, want jsonscan.Mask, byKeyAlone bool) {
	var buf [16]string
	parts := appendParts(buf[:0], q.key, b.separator)
	byKeyAlone = true
	for _, r := range b.index.candidates(parts) {
		if !r.key.match(q.key, parts, v) {
			continue
		}
		if len(r.headers) > 0 {
			byKeyAlone = false
			if !r.matchHeaders(md, v) {
				continue
			}
		}
		switch {
		case len(r.fields) == 0 && want != 0:
			return nil, want, byKeyAlone
		case len(r.fields) == 0:
			return r, 0, byKeyAlone
		case known == 0:
			want |= r.want
		case r.matchFields(q.fields, known, v):
			return r, 0, byKeyAlone
		}
	}
	return nil, want, byKeyAlone
}

// answer makes the result of the rule that matches; nil is none.
func (b *Bridge) answer(q question, r *rule, v *values, remember bool) (result, error) {
	if r == nil {
		return result{}, b.unmatched(q)
	}
	topic, err := b.topic(r, v)
	if err != nil {
		return result{}, err
	}
	made := result{topic: topic, rule: r}
	if len(r.set) > 0 {
		made.set = make([]string, len(r.set))
		for i := range r.set {
			made.set[i] = expand(r.set[i].template, v)
		}
	}
	if remember {
		b.cache.put(remembered{question: q, result: made})
	}
	return made, nil
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

func (b *Bridge) unmatched(q question) error {
	if b.filter {
		return feed.Filter(ReasonUnmatched)
	}
	also := ""
	if q.fields != "" {
		also = " with the fields of its payload"
	}
	return feed.Permanent(fmt.Errorf("no rule matches routing key %s%s", bounded(q.key, len(q.key)), also))
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
