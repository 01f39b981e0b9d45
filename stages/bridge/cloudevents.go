package bridge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Mode says in which form a message carries an event.
type Mode string

// The modes of CloudEvents.
const (
	// ModeStructured makes the payload an event in JSON.
	ModeStructured Mode = "structured"
	// ModeMQTT, ModeAMQP and ModeHTTP leave the payload as it is and set the
	// attributes as metadata, under the names of the binding of that protocol.
	ModeMQTT Mode = "mqtt"
	ModeAMQP Mode = "amqp"
	ModeHTTP Mode = "http"
)

// Values returns all choices.
func (Mode) Values() []string {
	return []string{string(ModeStructured), string(ModeMQTT), string(ModeAMQP), string(ModeHTTP)}
}

// prefix returns what stands before the names of attributes in metadata.
func (m Mode) prefix() string {
	switch m {
	case ModeAMQP:
		return "cloudEvents_"
	case ModeHTTP:
		return "ce-"
	}
	return ""
}

// CloudEvents makes messages events as in CloudEvents 1.0.
type CloudEvents struct {
	Mode    Mode   `yaml:"mode" doc:"structured makes the payload an event in JSON; mqtt, amqp and http set the attributes as metadata, under the names of that protocol's binding."`
	Type    string `yaml:"type" doc:"Template of the attribute type, such as com.kraft.reading."`
	Source  string `yaml:"source" doc:"Template of the attribute source, a URI reference such as /plants/{site}; captured values are percent-encoded in it."`
	Subject string `yaml:"subject" doc:"Template of the attribute subject; empty sets none."`
	ID      string `yaml:"id" doc:"Template of the attribute id; empty takes a hash of routing key, time, message id and payload, which is the same when a message comes again."`
}

// events is a [CloudEvents] ready to use.
type events struct {
	key                      string // in the configuration
	mode                     Mode
	typ, source, subject, id []piece // nil: none
}

// event holds the attributes of one message.
type event struct {
	id, source, typ, subject, time string // subject and time may be ""
}

// event returns the attributes of m, of which a rule has captured v.
func (e *events) event(m *message.Message, v *values) (event, error) {
	made := event{source: expandURI(e.source, v), typ: expand(e.typ, v), subject: expand(e.subject, v), id: expand(e.id, v)}
	if e.id == nil {
		made.id = eventID(m)
	}
	if at, err := time.Parse(time.RFC3339Nano, m.Metadata[feed.MetaTime]); err == nil {
		made.time = at.UTC().Format(time.RFC3339Nano)
	}
	for _, a := range [...]struct {
		name, value string
		required    bool
	}{{"id", made.id, true}, {"source", made.source, true}, {"type", made.typ, true}, {"subject", made.subject, e.subject != nil}} {
		if err := checkAttribute(a.value, a.required); err != nil {
			return event{}, feed.Permanent(fmt.Errorf("%s.%s: %s %w", e.key, a.name, bounded(a.value, len(a.value)), err))
		}
	}
	return made, nil
}

// checkAttribute reports what an attribute must not be.
func checkAttribute(s string, required bool) error {
	if required && s == "" {
		return errors.New("is empty, which CloudEvents does not allow")
	}
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if r < ' ' || r == 0x7f || r >= utf8.RuneSelf && !allowedRune(r, size) {
			return errors.New("holds a character that CloudEvents does not allow")
		}
		i += size
	}
	return nil
}

// attributes calls set with each attribute of ev that binary modes carry as
// metadata.
func (ev *event) attributes(set func(name, value string)) {
	set("specversion", "1.0")
	set("id", ev.id)
	set("source", ev.source)
	set("type", ev.typ)
	if ev.subject != "" {
		set("subject", ev.subject)
	}
	if ev.time != "" {
		set("time", ev.time)
	}
}

// apply makes m the event.
func (e *events) apply(m *message.Message, ev *event) {
	if e.mode == ModeStructured {
		m.Payload = appendEvent(make([]byte, 0, len(m.Payload)+512), ev, m.Metadata[feed.MetaContentType], m.Payload)
		m.Metadata[feed.MetaContentType] = contentTypeEvent
		return
	}
	prefix := e.mode.prefix()
	ev.attributes(func(name, value string) {
		if e.mode == ModeHTTP {
			value = headerValue(value)
		}
		m.Metadata[prefix+name] = value
	})
}

// sets reports whether an event takes a metadata key for itself.
func (e *events) sets(name string) bool {
	if e.mode == ModeStructured {
		return name == feed.MetaContentType
	}
	attribute, ok := strings.CutPrefix(name, e.mode.prefix())
	return ok && slices.Contains([]string{"specversion", "id", "source", "type", "subject", "time"}, attribute)
}

// isURIText reports whether the text of a template, without its names, holds
// only what a URI can.
func isURIText(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !unreserved(c) && strings.IndexByte(":/?#[]@!$&'()*+,;=%{}", c) < 0 {
			return false
		}
	}
	return true
}

// expandURI makes the text of v, each value percent-encoded as a segment of a
// path.
func expandURI(pieces []piece, v *values) string {
	var b []byte
	for i := range pieces {
		if p := &pieces[i]; p.slot == anonymous {
			b = append(b, p.literal...)
		} else {
			b = appendPercent(b, v[p.slot], unreserved)
		}
	}
	return string(b)
}

// headerValue returns a text as the HTTP binding writes it: what is no printable
// ASCII, space, quotes and % are percent-encoded.
func headerValue(s string) string {
	return string(appendPercent(nil, s, func(c byte) bool { return c > ' ' && c <= '~' && c != '"' && c != '%' }))
}

// unreserved reports whether a URI can hold c as it is (RFC 3986).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

func appendPercent(dst []byte, s string, plain func(byte) bool) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; plain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return dst
}
