package bridge

import (
	"errors"
	"fmt"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// subject is the message that is handled.
type subject struct {
	*message.Message
	vars *variables // nil until an expression needs them
}

// variables are what the expressions of a rule see of a message. Each is made
// when it is asked for.
type variables struct {
	message  *message.Message
	language *language
	rule     *rule
	values   values             // captured
	let      map[string]ref.Val // computed
	headers  map[string]string  // nil until asked for
	payload  any                // nil, or what it holds, or the error of reading it
	decoded  bool               // payload is set
}

// bind returns the variables for the expressions of r, which has captured v.
func (s *subject) bind(r *rule, l *language, v *values) *variables {
	if s.vars == nil {
		s.vars = &variables{message: s.Message, language: l}
	}
	s.vars.rule, s.vars.values = r, *v
	return s.vars
}

// compute evaluates let, and puts the texts of the values into texts.
func (v *variables) compute(texts *values) error {
	v.let = make(map[string]ref.Val, len(v.rule.let))
	for i := range v.rule.let {
		l := &v.rule.let[i]
		value, err := l.expression.value(v)
		if err != nil {
			return err
		}
		text, err := textOf(value)
		if err != nil {
			return l.expression.failed(err)
		}
		texts[l.slot], v.let[l.name] = text, value
	}
	v.values = *texts
	return nil
}

// ResolveName implements [cel.Activation].
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case varKey:
		return feed.Topic(v.message), true
	case varPayload:
		return v.readPayload(), true
	case varHeaders:
		return v.readHeaders(), true
	case varTime:
		return readTime(v.message), true
	}
	if value, ok := v.let[name]; ok {
		return value, true
	}
	if slot, ok := v.rule.slots[name]; ok {
		return v.values[slot], true
	}
	if t, ok := v.language.tables[name]; ok {
		return t.rows, true
	}
	return nil, false
}

// Parent implements [cel.Activation].
func (*variables) Parent() cel.Activation { return nil }

func (v *variables) readPayload() any {
	if v.decoded {
		return v.payload
	}
	v.decoded = true
	members := v.language.read.members
	if v.language.read.whole {
		members = nil
	}
	payload, err := jsonscan.Decode(v.message.Payload, members)
	if err != nil {
		payload = types.WrapErr(fmt.Errorf("the payload is no JSON: %w", err))
	}
	v.payload = payload
	return payload
}

func (v *variables) readHeaders() map[string]string {
	if v.headers == nil {
		v.headers = make(map[string]string, len(v.message.Metadata))
		for name, value := range v.message.Metadata {
			if !feed.ReservedMetadata(name) {
				v.headers[name] = value
			}
		}
	}
	return v.headers
}

func readTime(m *message.Message) any {
	text, ok := m.Metadata[feed.MetaTime]
	if !ok {
		return types.WrapErr(errors.New("the message has no time"))
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return types.WrapErr(fmt.Errorf("the time of the message is %s, not as in 2026-11-21T03:40:39Z", bounded(text, len(text))))
	}
	return types.Timestamp{Time: at}
}
