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
	language  *language          // of the expressions of all rules
	cache     *cache             // nil: none
	separator byte
	filter    bool
	maxBytes  int
}

// NewBridge returns a bridge with the given rules. It reads the files of tables,
// and does no other I/O. It fails with what [Config.Validate] reports, and when
// a file cannot be used or has no such column.
func NewBridge(c Config, _ feed.StageEnv) (*Bridge, error) {
	all, err := compile(&c)
	if err != nil {
		return nil, err
	}
	if err := readTables(&c, all.language.tables); err != nil {
		return nil, err
	}
	if err := errors.Join(all.language.wrongColumns()...); err != nil {
		return nil, err
	}
	return &Bridge{
		index:     newIndex(all.rules),
		pointers:  &all.pointers,
		language:  &all.language,
		cache:     newCache(c.CacheKeys),
		separator: c.Separator[0],
		filter:    c.Unmatched == UnmatchedFilter,
		maxBytes:  c.MaxTopicBytes,
	}, nil
}

// Handle sets the topic of m, the metadata that its rule sets, and the payload if
// its rule makes a new one, and returns m. It never writes into the bytes of a
// payload. It is a [message.HandlerFunc], never blocks, retains nothing of m, and is
// safe for concurrent use. On an error m is as it was: a [feed.Filter] error
// says that its rule drops it or that no rule matches, as configured, a
// [feed.Permanent] one that no rule matches, that the topic would be empty or too
// long, that the payload cannot be read, or that an expression failed.
func (b *Bridge) Handle(m *message.Message) ([]*message.Message, error) {
	s := subject{Message: m}
	r, err := b.result(&s)
	if err != nil {
		return nil, err
	}
	if r.rule.drop != nil {
		return nil, r.rule.drop
	}
	payload := m.Payload
	if r.rule.payload != nil {
		if payload, err = r.rule.payload.rewrite(m.Payload, s.vars); err != nil {
			return nil, err
		}
	}
	var ev event
	if r.rule.events != nil {
		if ev, err = r.rule.events.event(m, &s.vars.values); err != nil {
			return nil, err
		}
	}
	// From here on nothing can fail.
	m.Payload = payload
	feed.SetTopic(m, r.topic)
	for i, value := range r.set {
		m.Metadata[r.rule.set[i].name] = value
	}
	if r.rule.events != nil {
		r.rule.events.apply(m, &ev)
	}
	return []*message.Message{m}, nil
}

func (b *Bridge) result(s *subject) (result, error) {
	q := question{key: feed.Topic(s.Message)}
	if known := b.cache.get(q.key, nil); known != nil {
		if known.want != 0 {
			return b.resultByFields(q, s, known.want, true)
		}
		return known.result, nil
	}
	var v values
	r, want, byKeyAlone, err := b.match(&q, 0, s, &v)
	if err != nil {
		return result{}, err
	}
	if want != 0 {
		if byKeyAlone {
			b.cache.put(remembered{question: q, want: want})
		}
		return b.resultByFields(q, s, want, byKeyAlone)
	}
	return b.answer(q, s, r, &v, byKeyAlone)
}

// resultByFields reads the wanted fields and answers with them. The answer may
// be remembered when nothing but the routing key says which are wanted.
func (b *Bridge) resultByFields(q question, s *subject, want jsonscan.Mask, remember bool) (result, error) {
	var buf [256]byte
	fields, err := appendFields(buf[:0], s.Payload, b.pointers, want)
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
	r, _, byKeyAndFields, err := b.match(&q, want, s, &v)
	if err != nil {
		return result{}, err
	}
	return b.answer(q, s, r, &v, remember && byKeyAndFields)
}

// match returns the first rule that matches, or nil, and whether that was
// decided by what is in q alone. As long as no fields are known it may return
// instead which ones it wants: those of all rules that match otherwise, up to the
// first that matches whatever the payload holds.
func (b *Bridge) match(q *question, known jsonscan.Mask, s *subject, v *values) (_ *rule, want jsonscan.Mask, byQuestion bool, _ error) {
	var buf [16]string
	parts := appendParts(buf[:0], q.key, b.separator)
	byQuestion = true
	for _, r := range b.index.candidates(parts) {
		if !r.key.match(q.key, parts, v) {
			continue
		}
		if len(r.headers) > 0 {
			byQuestion = false
			if !r.matchHeaders(s.Metadata, v) {
				continue
			}
		}
		switch {
		case len(r.fields) > 0 && known == 0:
			want |= r.want
			continue
		case len(r.fields) > 0 && !r.matchFields(q.fields, known, v):
			continue
		}
		if r.where != nil {
			if want != 0 {
				continue // an earlier rule may match, with its fields
			}
			byQuestion = false
			if holds, err := r.where.holds(s.bind(r, b.language, v)); err != nil {
				return nil, 0, false, err
			} else if !holds {
				continue
			}
		}
		if want != 0 {
			r = nil
		}
		return r, want, byQuestion, nil
	}
	return nil, want, byQuestion, nil
}

// answer makes the result of the rule that matches; nil is none.
func (b *Bridge) answer(q question, s *subject, r *rule, v *values, remember bool) (result, error) {
	if r == nil {
		return result{}, b.unmatched(q)
	}
	made := result{rule: r}
	if r.drop == nil {
		if r.perMessage {
			remember = false
			if err := s.bind(r, b.language, v).compute(v); err != nil {
				return result{}, err
			}
		}
		var err error
		if made.topic, err = b.topic(r, v); err != nil {
			return result{}, err
		}
	}
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
