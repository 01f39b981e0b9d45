package config

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// Test is a check of the transforms of a route: what they must make of given
// messages.
type Test struct {
	Name   string        `yaml:"name" doc:"Name of the test; no other has the same."`
	Route  string        `yaml:"route" doc:"Route whose transforms are tested; needed when there is more than one."`
	Given  []TestMessage `yaml:"given" doc:"Messages as they come from the source, one after the other."`
	Expect []Expectation `yaml:"expect" doc:"What becomes of them, in this order: messages that reach the sink, and filtered, quarantined and retried ones."`

	At Position `yaml:"-"`
}

// TestMessage is a message of a test. It has at most one of Payload, Text and
// Base64. In an expectation, what is absent is not looked at.
type TestMessage struct {
	ID       *string           `yaml:"id" doc:"Message id."`
	Topic    *string           `yaml:"topic" doc:"Topic: the routing key of a message that comes from AMQP."`
	Metadata map[string]string `yaml:"metadata" doc:"Headers by name, and content_type, time, correlation_id and reply_to; of an expected message, those that matter."`
	Payload  JSON              `yaml:"payload" doc:"Payload as JSON, written as YAML; order of keys and white space do not matter, and references are not expanded."`
	Text     *string           `yaml:"text" doc:"Payload as text, byte for byte."`
	Base64   *string           `yaml:"base64" doc:"Payload in base64."`

	At Position `yaml:"-"`
}

// Expectation is a message that the sink must get, or why it must not.
type Expectation struct {
	TestMessage `yaml:",inline"`
	Filtered    *string `yaml:"filtered" doc:"The message is dropped on purpose for this reason."`
	Quarantined *string `yaml:"quarantined" doc:"The message goes to the quarantine; a part of the reason."`
	Retried     *string `yaml:"retried" doc:"A transform fails transiently, and a running feed would hold the message, and all behind it, and try again; a part of the reason."`

	At Position `yaml:"-"`
}

// JSON is a document that stands in a file as YAML. Nil is none.
type JSON []byte

// Position is where something stands in a file. Both count from 1.
type Position struct{ Line, Column int }

// Bytes returns the payload, and whether there is one.
func (m *TestMessage) Bytes() (payload []byte, given bool) {
	switch {
	case m.Payload != nil:
		return m.Payload, true
	case m.Text != nil:
		return []byte(*m.Text), true
	case m.Base64 != nil:
		raw, err := base64.StdEncoding.DecodeString(*m.Base64)
		return raw, err == nil // checked when the file was read
	}
	return nil, false
}

// Message returns the message that a source would hand out.
func (m *TestMessage) Message() *message.Message {
	payload, _ := m.Bytes()
	var id string
	if m.ID != nil {
		id = *m.ID
	}
	out := message.NewMessage(id, payload)
	maps.Copy(out.Metadata, m.Metadata)
	if m.Topic != nil {
		feed.SetTopic(out, *m.Topic)
	}
	return out
}

// empty reports whether nothing is said of the message.
func (m *TestMessage) empty() bool {
	_, given := m.Bytes()
	return !given && m.Base64 == nil && m.ID == nil && m.Topic == nil && m.Metadata == nil
}

// LoadTests reads the tests of the file at path, and of its routes only the
// transforms: no address or secret of a source or a sink needs to be there.
func LoadTests(path string, registry *feed.Registry) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	d := &decoder{file: path, registry: registry, lookupEnv: os.LookupEnv, part: partTests}
	return d.parse(data)
}

// Transforms makes the transforms of a route for a test of it.
func (c *Config) Transforms(r *Route, logger *slog.Logger) ([]feed.Transform, error) {
	return (&builder{config: c, logger: logger, trial: true}).transforms(r)
}

// RouteOf returns the route that a test is about.
func (c *Config) RouteOf(t *Test) *Route {
	if t.Route == "" && len(c.Routes) == 1 {
		return c.Routes[0]
	}
	i := slices.IndexFunc(c.Routes, func(r *Route) bool { return r.Name == t.Route })
	if i < 0 {
		return nil
	}
	return c.Routes[i]
}

// checkTests checks that each test can be run. One that could not be decoded is
// judged when it is whole.
func (d *decoder) checkTests(c *Config) {
	names := map[string]bool{}
	decoding := d.problems
	for i := range c.Tests {
		t := &c.Tests[i]
		key := fmt.Sprintf("tests[%d]", i)
		bad := func(at Position, key, reason, remedy string) {
			d.problem(&yaml.Node{Line: at.Line, Column: at.Column}, key, reason, remedy)
		}
		if slices.ContainsFunc(decoding, func(p Problem) bool { return p.Key == key || strings.HasPrefix(p.Key, key+".") }) {
			continue
		}
		switch {
		case t.Name == "":
			bad(t.At, key, "has no name", "write name: and what the test shows")
		case names[t.Name]:
			bad(t.At, key+".name", "another test has the same name", "")
		}
		names[t.Name] = true
		if c.RouteOf(t) == nil && len(c.Routes) > 0 {
			var routes []string
			for _, r := range c.Routes {
				routes = append(routes, r.Name)
			}
			if t.Route == "" {
				bad(t.At, key, "names no route, and there are several", DidYouMean("", routes))
			} else {
				bad(t.At, key+".route", "there is no route "+shorten(t.Route), DidYouMean(t.Route, routes))
			}
		}
		if len(t.Given) == 0 {
			bad(t.At, key, "has no message", "write given: with at least one message")
		}
		for j := range t.Given {
			checkPayload(&t.Given[j], t.Given[j].At, fmt.Sprintf("%s.given[%d]", key, j), bad)
		}
		if len(t.Expect) == 0 {
			bad(t.At, key, "expects nothing", "write expect: with a message, filtered:, quarantined: or retried: for each outcome")
		}
		for j := range t.Expect {
			checkExpectation(&t.Expect[j], fmt.Sprintf("%s.expect[%d]", key, j), bad)
		}
	}
}

func checkPayload(m *TestMessage, at Position, key string, bad func(at Position, key, reason, remedy string)) {
	forms := 0
	for _, has := range []bool{m.Payload != nil, m.Text != nil, m.Base64 != nil} {
		if has {
			forms++
		}
	}
	if forms > 1 {
		bad(at, key, "has more than one of payload, text and base64", "keep one")
	}
	if m.Base64 != nil {
		if _, err := base64.StdEncoding.DecodeString(*m.Base64); err != nil {
			bad(at, key+".base64", "is no base64: "+err.Error(), "")
		}
	}
}

func checkExpectation(e *Expectation, key string, bad func(at Position, key, reason, remedy string)) {
	checkPayload(&e.TestMessage, e.At, key, bad)
	kinds := 0
	for _, has := range []bool{!e.empty(), e.Filtered != nil, e.Quarantined != nil, e.Retried != nil} {
		if has {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		bad(e.At, key, "says nothing", "write topic: and payload: of a message, or filtered:, quarantined: or retried: with the reason")
	case kinds > 1:
		bad(e.At, key, "says both that the sink gets a message and that it does not", "keep one of message, filtered, quarantined and retried")
	}
}
