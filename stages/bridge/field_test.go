package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

// carrying returns a message with a payload and headers.
func carrying(routingKey, payload string, headers ...string) *message.Message {
	m := keyed(routingKey, headers...)
	m.Payload = []byte(payload)
	return m
}

func TestFields(t *testing.T) {
	rule := func(topic string, fields ...string) Rule {
		r := Rule{Match: "t", Fields: map[string]string{}, Topic: topic}
		for i := 0; i < len(fields); i += 2 {
			r.Fields[fields[i]] = fields[i+1]
		}
		return r
	}
	plain := Rule{Match: "t", Topic: "plain"}
	kinds := []Rule{rule("alarm/{d}", "/kind", "alarm", "/device", "{d}"), rule("reading/{d}", "/kind", "reading", "/device", "{d}"), plain}
	for _, tt := range []struct {
		name    string
		rules   []Rule
		payload string
		want    string // the topic, or
		err     string // the beginning of a permanent error
	}{
		{name: "text", rules: []Rule{rule("{a}/{b}", "/b", "{b}", "/a", "{a}")}, payload: `{"a":"x","b":"y"}`, want: "x/y"},
		{name: "number as written", rules: []Rule{rule("{a}/{b}", "/b", "{b}", "/a", "{a}")}, payload: `{"a":1.50,"b":-2E3}`, want: "1.50/-2E3"},
		{name: "true and false", rules: []Rule{rule("{a}/{b}", "/b", "{b}", "/a", "{a}")}, payload: `{"a":true,"b":false}`, want: "true/false"},
		{name: "nested", rules: []Rule{rule("{a}", "/v/1/x", "{a}")}, payload: `{"v":[{"x":1},{"x":2}]}`, want: "2"},
		{name: "whole payload", rules: []Rule{rule("{a}", "", "{a}")}, payload: ` "x" `, want: "x"},
		{name: "within a value", rules: []Rule{rule("{a}/{b}", "/a", "line-{a}.{b}")}, payload: `{"a":"line-3.x.y"}`, want: "3/x.y"},
		{name: "key, header and field", rules: []Rule{{Match: "t", Headers: map[string]string{"h": "{h}"}, Fields: map[string]string{"/a": "{a}"}, Topic: "{h}/{a}"}}, payload: `{"a":"x"}`, want: "head/x"},
		{name: "escapes are resolved, then escaped", rules: []Rule{rule("k/{a}/end", "/a", "{a}")}, payload: `{"a":"\u002f+\u0023\u0000\n%\ud83d\ude00\ud83d"}`, want: "k/%2F%2B%23%00%0A%25😀\ufffd/end"},
		{name: "no UTF-8", rules: []Rule{rule("k/{a}", "/a", "{a}")}, payload: "{\"a\":\"\xff\"}", want: "k/%FF"},
		{name: "dollar at the start", rules: []Rule{rule("{a}", "/a", "{a}")}, payload: `{"a":"$SYS"}`, want: "%24SYS"},
		{name: "two values of one level", rules: []Rule{rule("{a}-{b}", "/a", "{a}", "/b", "{b}")}, payload: `{"a":"x-y","b":"z"}`, want: "x%2Dy-z"},
		{name: "first of equal names", rules: []Rule{rule("{a}", "/a", "{a}")}, payload: `{"a":"x","a":"y"}`, want: "x"},
		{name: "the rest is not read", rules: []Rule{rule("{a}", "/a", "{a}")}, payload: `{"a":"x",oops`, want: "x"},
		{name: "first rule", rules: kinds, payload: `{"kind":"alarm","device":"d"}`, want: "alarm/d"},
		{name: "second rule", rules: kinds, payload: `{"kind":"reading","device":"d"}`, want: "reading/d"},
		{name: "other value goes on", rules: kinds, payload: `{"kind":"x","device":"d"}`, want: "plain"},
		{name: "what is not there goes on", rules: kinds, payload: `{"kind":"alarm"}`, want: "plain"},
		{name: "null goes on", rules: kinds, payload: `{"kind":"alarm","device":null}`, want: "plain"},
		{name: "object goes on", rules: kinds, payload: `{"kind":"alarm","device":{}}`, want: "plain"},
		{name: "array goes on", rules: kinds, payload: `{"kind":"alarm","device":["d"]}`, want: "plain"},
		{name: "a rule without fields comes first", rules: []Rule{{Match: "t", Headers: map[string]string{"h": "*"}, Topic: "head"}, kinds[0]}, payload: `oops`, want: "head"},

		{name: "no JSON", rules: kinds, payload: `hello`, err: "the payload is no JSON up to the fields that rules ask for: byte 0: a value is missing"},
		{name: "empty", rules: kinds, payload: ``, err: "the payload is no JSON up to the fields that rules ask for: byte 0: a value is missing"},
		{name: "cut", rules: kinds, payload: `{"kind":"alarm","device":"d`, err: `the payload is no JSON up to the fields that rules ask for: byte 27: the " that closes a string is missing`},
		{name: "no rule", rules: kinds[:2], payload: `{"kind":"x"}`, err: `no rule matches routing key "t" with the fields of its payload`},
		{name: "longest value", rules: []Rule{rule("k", "/a", "*")}, payload: `{"a":"` + strings.Repeat("x", maxFieldBytes) + `"}`, want: "k"},
		{name: "too long a value", rules: []Rule{rule("k", "/a", "*")}, payload: `{"a":"` + strings.Repeat("x", maxFieldBytes+1) + `"}`, err: "field /a has 65536 bytes, more than 65535"},
		{name: "too long a topic", rules: []Rule{rule("{a}", "/a", "{a}")}, payload: `{"a":"` + strings.Repeat("x", 1025) + `"}`, err: "the topic has 1025 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBridge(t, nil, tt.rules...)
			for range 2 { // matched, remembered
				m := carrying("t", tt.payload, "h", "head")
				_, err := b.Handle(m)
				if tt.err != "" {
					if !feed.IsPermanent(err) || !strings.HasPrefix(err.Error(), tt.err) {
						t.Fatalf("error %v, want %s", err, tt.err)
					}
					if feed.Topic(m) != "t" {
						t.Errorf("the topic changed to %q", feed.Topic(m))
					}
				} else if err != nil || feed.Topic(m) != tt.want {
					t.Fatalf("topic %q, error %v, want %q", feed.Topic(m), err, tt.want)
				}
				if string(m.Payload) != tt.payload {
					t.Errorf("the payload changed to %.60q", m.Payload)
				}
			}
		})
	}
}

// More pointers than fit on the stack are found all the same.
func TestManyFields(t *testing.T) {
	var topic, payload []string
	r := Rule{Match: "t", Fields: map[string]string{}}
	for i := range 30 {
		r.Fields[fmt.Sprintf("/f%d", i)] = fmt.Sprintf("{n%d}", i)
		topic = append(topic, fmt.Sprintf("{n%d}", i))
		payload = append(payload, fmt.Sprintf(`"f%d":%d`, i, i))
	}
	r.Topic = strings.Join(topic, "/")
	m := carrying("t", "{"+strings.Join(payload, ",")+"}")
	if _, err := newBridge(t, nil, r).Handle(m); err != nil {
		t.Fatal(err)
	}
	if want := "0/1/2/3/4/5/6/7/8/9/10/"; !strings.HasPrefix(feed.Topic(m), want) || !strings.HasSuffix(feed.Topic(m), "/29") {
		t.Errorf("topic %q", feed.Topic(m))
	}
}

// What fields are set to metadata outlives the payload.
func TestSetOfFields(t *testing.T) {
	b := newBridge(t, nil, Rule{Match: "t", Fields: map[string]string{"/a": "{a}", "/b": "*"}, Topic: "k", Set: map[string]string{"one": "{a}", "two": "<{a}>"}})
	for range 2 { // matched, remembered
		m := carrying("t", `{"a":"x\/y","b":1}`)
		if _, err := b.Handle(m); err != nil {
			t.Fatal(err)
		}
		clear(m.Payload)
		if want := (message.Metadata{"topic": "k", "one": "x/y", "two": "<x/y>"}); !maps.Equal(m.Metadata, want) {
			t.Errorf("metadata %v, want %v", m.Metadata, want)
		}
	}
}

// A payload that is broken is looked at only if a rule that may match asks for
// fields.
func TestPayloadIsLeftAlone(t *testing.T) {
	b := newBridge(t, nil,
		Rule{Match: "x.*", Fields: map[string]string{"/a": "*"}, Topic: "one"},
		Rule{Match: "*.y", Headers: map[string]string{"h": "v"}, Fields: map[string]string{"/a": "*"}, Topic: "two"},
		Rule{Match: "{...}", Topic: "plain"})
	for range 2 {
		m := carrying("z.y", "oops", "h", "w")
		if _, err := b.Handle(m); err != nil || feed.Topic(m) != "plain" {
			t.Errorf("topic %q, error %v", feed.Topic(m), err)
		}
		for _, m := range []*message.Message{carrying("x.z", "oops"), carrying("z.y", "oops", "h", "v")} {
			if _, err := b.Handle(m); !feed.IsPermanent(err) {
				t.Errorf("error %v", err)
			}
		}
	}
}

var fieldValue = rapid.OneOf(
	rapid.SampledFrom([]any{"x", "y", "", "\x00", "\x01x", "x/y", "$", nil, true, 1, 2.5, []any{}, map[string]any{"x": 1}}),
	rapid.Map(drawValue, func(s string) any { return s }),
)

// TestRememberedFields handles messages by a bridge that remembers a few
// answers and by one that remembers none, and by encoding/json.
func TestRememberedFields(t *testing.T) {
	rules := []Rule{
		{Match: "a.{k}", Headers: map[string]string{"h": "{h}"}, Fields: map[string]string{"/a": "{a}"}, Topic: "0/{k}/{h}/{a}"},
		{Match: "{k}.a", Fields: map[string]string{"/a": "x", "/b": "{b}"}, Topic: "1/{k}/{b}"},
		{Match: "{k}.*", Fields: map[string]string{"/b": "{b}", "/c": "{c}"}, Topic: "2/{k}/{b}/{c}", Set: map[string]string{"c": "{c}"}},
		{Match: "b.*", Topic: "3"},
	}
	size := func(keys int) func(*Config) { return func(c *Config) { c.CacheKeys = keys } }
	rapid.Check(t, func(rt *rapid.T) {
		remembers, forgets := newBridge(t, size(8), rules...), newBridge(t, size(0), rules...)
		for range 30 {
			object := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c", "d"}), fieldValue).Draw(rt, "object")
			payload, err := json.Marshal(object)
			if err != nil {
				rt.Fatal(err)
			}
			key := rapid.SampledFrom([]string{"a.a", "a.b", "b.a", "b.b", "c.a", "\x00.a", "a"}).Draw(rt, "key")
			var headers []string
			if rapid.Bool().Draw(rt, "header") {
				headers = []string{"h", "v"}
			}
			first, second := carrying(key, string(payload), headers...), carrying(key, string(payload), headers...)
			_, firstErr := remembers.Handle(first)
			_, secondErr := forgets.Handle(second)
			if fmt.Sprint(firstErr) != fmt.Sprint(secondErr) || !maps.Equal(first.Metadata, second.Metadata) {
				rt.Fatalf("key %q, payload %s: %v, %v with memory, %v, %v without", key, payload, first.Metadata, firstErr, second.Metadata, secondErr)
			}
			if want := byHand(key, headers != nil, payload); firstErr == nil && feed.Topic(first) != want || firstErr != nil && want != "" {
				rt.Fatalf("key %q, payload %s: topic %q, error %v, want %q", key, payload, feed.Topic(first), firstErr, want)
			}
		}
		if n := len(remembers.cache.young) + len(remembers.cache.old); n > 8 {
			rt.Fatalf("%d answers are remembered, more than 8", n)
		}
	})
}

// byHand applies the rules of TestRememberedFields: the topic, or "".
func byHand(key string, header bool, payload []byte) string {
	var object map[string]any
	if err := json.Unmarshal(payload, &object); err != nil {
		return ""
	}
	scalar := func(name string) (string, bool) {
		switch v := object[name].(type) {
		case string:
			return escaping{}.escaped(v), true
		case float64, bool:
			return fmt.Sprint(v), true
		}
		return "", false
	}
	k, last, ok := strings.Cut(key, ".")
	if !ok {
		return ""
	}
	a, hasA := scalar("a")
	b, hasB := scalar("b")
	c, hasC := scalar("c")
	switch {
	case k == "a" && header && hasA:
		return "0/" + last + "/v/" + a
	case last == "a" && a == "x" && hasB:
		return "1/" + escaping{}.escaped(k) + "/" + b
	case hasB && hasC:
		return "2/" + escaping{}.escaped(k) + "/" + b + "/" + c
	case k == "b":
		return "3"
	}
	return ""
}

func (e escaping) escaped(s string) string { return string(e.appendEscaped(nil, s)) }

// TestFieldsStayInTheirLevel takes any text through the payload into a topic
// and back.
func TestFieldsStayInTheirLevel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBridge(t, func(c *Config) { c.MaxTopicBytes = maxTopicBytes },
			Rule{Match: "t", Fields: map[string]string{"/a": "{a}", "/b": "{b}"}, Topic: "{a}/k/{b}"})
		values := [2]string{strings.ToValidUTF8(drawValue.Draw(rt, "a"), ""), strings.ToValidUTF8(drawValue.Draw(rt, "b"), "")}
		payload, err := json.Marshal(map[string]string{"a": values[0], "b": values[1]})
		if err != nil {
			rt.Fatal(err)
		}
		m := carrying("t", string(payload))
		if _, err := b.Handle(m); err != nil {
			rt.Fatal(err)
		}
		checkTopic(rt, feed.Topic(m))
		levels := strings.Split(feed.Topic(m), "/")
		if len(levels) != 3 || levels[1] != "k" {
			rt.Fatalf("payload %s: topic %q", payload, feed.Topic(m))
		}
		for i, level := range []string{levels[0], levels[2]} {
			if got, err := url.PathUnescape(level); err != nil || got != values[i] {
				rt.Fatalf("level %q decodes to %q, error %v, want %q", level, got, err, values[i])
			}
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add("/a", "{x}", []byte(`{"a":"\u002f"}`))
	f.Add("/a/0", "p-{x}", []byte(`{"a":["p-#"]}`))
	f.Add("", "{x}.*", []byte(`1.5`))
	f.Fuzz(func(t *testing.T, pointer, pattern string, payload []byte) {
		c := DefaultConfig()
		c.MaxTopicBytes = maxTopicBytes
		c.Rules = []Rule{{Match: "t", Fields: map[string]string{pointer: pattern}, Topic: "k/{x}/end"}}
		b, err := NewBridge(c, feed.StageEnv{})
		if err != nil {
			return
		}
		for range 2 { // matched, remembered
			m := carrying("t", string(payload))
			if _, err := b.Handle(m); err != nil {
				if !feed.IsPermanent(err) || feed.Topic(m) != "t" {
					t.Fatalf("error %v, topic %q", err, feed.Topic(m))
				}
				return
			}
			checkTopic(t, feed.Topic(m))
			if strings.Count(feed.Topic(m), "/") != 2 {
				t.Fatalf("topic %q has other levels than its template", feed.Topic(m))
			}
		}
	})
}
