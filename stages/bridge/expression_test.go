package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

func TestWhere(t *testing.T) {
	where := func(expression string) []Rule {
		return []Rule{{Match: "t.{n}", Where: expression, Topic: "one/{n}"}, {Match: "t.{n}", Topic: "two/{n}"}}
	}
	for _, tt := range []struct {
		name    string
		rules   []Rule
		payload string
		want    string // the topic, or
		err     string // a permanent error
	}{
		{name: "captured", rules: where(`int(n) > 6`), want: "one/7"},
		{name: "captured, false", rules: where(`int(n) > 7`), want: "two/7"},
		{name: "key", rules: where(`key.startsWith("t.")`), want: "one/7"},
		{name: "header", rules: where(`headers["h"] == "head"`), want: "one/7"},
		{name: "guarded header", rules: where(`"x" in headers && headers.x == "y"`), want: "two/7"},
		{name: "reserved metadata is no header", rules: where(`"topic" in headers || "time" in headers`), want: "two/7"},
		{name: "time", rules: where(`time.getFullYear() == 2026 && time > timestamp("2026-11-21T03:40:39Z")`), want: "one/7"},
		{name: "whole number", rules: where(`payload.v == 9007199254740993 && type(payload.v) == int`), payload: `{"v":9007199254740993}`, want: "one/7"},
		{name: "double", rules: where(`payload.v > 1 && type(payload.v) == double`), payload: `{"v":1.5}`, want: "one/7"},
		{name: "whole number beyond int", rules: where(`type(payload.v) == double`), payload: `{"v":9223372036854775808}`, want: "one/7"},
		{name: "nested", rules: where(`payload.a[1].b == "x"`), payload: `{"a":[0,{"b":"x"}]}`, want: "one/7"},
		{name: "null", rules: where(`payload.a == null`), payload: `{"a":null}`, want: "one/7"},
		{name: "not there", rules: where(`has(payload.a)`), payload: `{"b":1}`, want: "two/7"},
		{name: "first of equal names", rules: where(`payload.a == 1`), payload: `{"a":1,"a":2}`, want: "one/7"},
		{name: "whole payload", rules: where(`size(payload) == 2 && payload.a == 1`), payload: `{"a":1,"b":2}`, want: "one/7"},
		{name: "payload that is no object", rules: where(`payload[1] == 2`), payload: ` [1,2] `, want: "one/7"},
		{name: "strings extension", rules: where(`payload.a.lowerAscii().split("-")[1] == "b"`), payload: `{"a":"A-B"}`, want: "one/7"},
		{name: "macro", rules: where(`payload.a.exists(x, x > 2)`), payload: `{"a":[1,3]}`, want: "one/7"},
		{name: "payload is not read in vain", rules: where(`n == "8" && payload.a == 1`), payload: `oops`, want: "two/7"},
		{name: "after fields", rules: []Rule{
			{Match: "t.*", Fields: map[string]string{"/a": "{a}"}, Where: `a == "x" && payload.b`, Topic: "one/{a}"},
			{Match: "t.*", Fields: map[string]string{"/b": "{b}"}, Topic: "two/{b}"}}, payload: `{"a":"y","b":true}`, want: "two/true"},
		{name: "fields after where", rules: []Rule{
			{Match: "t.*", Fields: map[string]string{"/a": "z"}, Topic: "zero"},
			{Match: "t.*", Where: `payload.b == 1`, Topic: "one"},
			{Match: "t.*", Fields: map[string]string{"/c": "{c}"}, Topic: "two/{c}"}}, payload: `{"a":"y","b":2,"c":3}`, want: "two/3"},
		{name: "fields that match come before a where that fails", rules: []Rule{
			{Match: "t.*", Fields: map[string]string{"/c": "{c}"}, Topic: "one/{c}"},
			{Match: "t.*", Where: `payload.z == 2`, Topic: "two"}}, payload: `{"c":3}`, want: "one/3"},
		{name: "fields before where", rules: []Rule{
			{Match: "t.*", Where: `payload.b == 2`, Topic: "one"},
			{Match: "t.*", Fields: map[string]string{"/c": "{c}"}, Topic: "two/{c}"}}, payload: `{"b":2,"c":3}`, want: "one"},

		{name: "no member", rules: where(`payload.a == 1`), payload: `{"b":1}`, err: `rules[0].where: payload.a == 1: no such key: a`},
		{name: "no JSON", rules: where(`payload.a == 1`), payload: `{"a":1`, err: `rules[0].where: payload.a == 1: the payload is no JSON: byte 6: a , or } is missing after a member`},
		{name: "no UTF-8", rules: where(`payload.a == 1`), payload: "{\"a\":\"\xff\"}", err: `rules[0].where: payload.a == 1: the payload is no JSON: byte 6: the bytes are no UTF-8`},
		{name: "out of range", rules: where(`payload.a > 1.0`), payload: `{"a":1e999}`, err: `rules[0].where: payload.a > 1.0: the payload is no JSON: byte 5: the number is out of range`},
		{name: "no number", rules: where(`int(n + "x") == 1`), err: `rules[0].where: int(n + "x") == 1: `},
		{name: "text that grows", rules: where(`size(payload.a.replace("", payload.b).replace("", payload.b)) == 1`), payload: `{"a":"` + strings.Repeat("x", 500) + `","b":"` + strings.Repeat("y", 500) + `"}`, err: `rules[0].where: size(payload.a.replace("", payload.b).replace("", payload.b)) == 1: operation cancelled: actual cost limit exceeded`},
		{name: "loop over loops", rules: where(`payload.exists(a, payload.exists(b, payload.exists(c, a + b + c < 0)))`), payload: "[1" + strings.Repeat(",1", 200) + "]", err: `rules[0].where: payload.exists(a, payload.exists(b, payload.exists(c, a + b + c < 0))): operation cancelled: actual cost limit exceeded`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBridge(t, nil, tt.rules...)
			for range 2 {
				m := carrying("t.7", tt.payload, "h", "head", "time", "2026-11-21T03:40:39.5Z")
				before := maps.Clone(m.Metadata)
				_, err := b.Handle(m)
				if tt.err != "" {
					if !feed.IsPermanent(err) || !strings.HasPrefix(err.Error(), tt.err) {
						t.Fatalf("error %v, want %s", err, tt.err)
					}
					if !maps.Equal(before, m.Metadata) {
						t.Errorf("metadata changed to %v", m.Metadata)
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

func TestTimeInExpressions(t *testing.T) {
	b := newBridge(t, nil, Rule{Match: "t", Where: `time > timestamp("2026-01-01T00:00:00Z")`, Topic: "x"})
	for text, problem := range map[string]string{"": "the message has no time", "yesterday": `the time of the message is "yesterday"`} {
		m := keyed("t")
		if text != "" {
			m.Metadata[feed.MetaTime] = text
		}
		if _, err := b.Handle(m); !feed.IsPermanent(err) || !strings.Contains(err.Error(), problem) {
			t.Errorf("time %q: error %v, want %s", text, err, problem)
		}
	}
}

func TestLet(t *testing.T) {
	value := func(expression string) []Rule {
		return []Rule{{Match: "t.{n}", Let: map[string]string{"x": expression}, Topic: "k/{x}/{n}", Set: map[string]string{"x": "<{x}>"}}}
	}
	for _, tt := range []struct {
		expression, payload string
		topic, set          string // or
		err                 string
	}{
		{expression: `n + "/+"`, topic: "k/7%2F%2B/7", set: "<7/+>"},
		{expression: `n.matches("^[0-9]+$") ? "number" : "text"`, topic: "k/number/7", set: "<number>"},
		{expression: `int(n) * 2`, topic: "k/14/7", set: "<14>"},
		{expression: `uint(n)`, topic: "k/7/7", set: "<7>"},
		{expression: `payload.v * 2.0`, payload: `{"v":0.75}`, topic: "k/1.5/7", set: "<1.5>"},
		{expression: `payload.v`, payload: `{"v":1e30}`, topic: "k/1e%2B30/7", set: "<1e+30>"},
		{expression: `payload.v`, payload: `{"v":9007199254740993}`, topic: "k/9007199254740993/7", set: "<9007199254740993>"},
		{expression: `payload.v`, payload: `{"v":true}`, topic: "k/true/7", set: "<true>"},
		{expression: `payload.v`, payload: `{"v":"a/b"}`, topic: "k/a%2Fb/7", set: "<a/b>"},
		{expression: `string(time)`, topic: "k/2026-11-21T03:40:39Z/7", set: "<2026-11-21T03:40:39Z>"},
		{expression: `payload.v`, payload: `{"v":null}`, err: "rules[0].let.x: payload.v: it is a null_type, which has no text: make it a string, a number or a bool"},
		{expression: `payload.v`, payload: `{"v":[1]}`, err: "rules[0].let.x: payload.v: it is a list, which has no text: make it a string, a number or a bool"},
		{expression: `payload.v / 0.0`, payload: `{"v":1.0}`, err: "rules[0].let.x: payload.v / 0.0: it is no finite number"},
		{expression: `1 / (int(n) - 7)`, err: "rules[0].let.x: 1 / (int(n) - 7): division by zero"},
	} {
		b := newBridge(t, nil, value(tt.expression)...)
		for range 2 {
			m := carrying("t.7", tt.payload, "time", "2026-11-21T03:40:39Z")
			_, err := b.Handle(m)
			switch {
			case tt.err != "":
				if !feed.IsPermanent(err) || err.Error() != tt.err || feed.Topic(m) != "t.7" || len(m.Metadata) != 2 {
					t.Errorf("%s: error %v, want %s; metadata %v", tt.expression, err, tt.err, m.Metadata)
				}
			case err != nil || feed.Topic(m) != tt.topic || m.Metadata["x"] != tt.set:
				t.Errorf("%s: topic %q, set %q, error %v, want %q and %q", tt.expression, feed.Topic(m), m.Metadata["x"], err, tt.topic, tt.set)
			}
		}
	}
}

func TestDrop(t *testing.T) {
	b := newBridge(t, nil,
		Rule{Match: "t.heartbeat", Drop: "heartbeats"},
		Rule{Match: "t.*", Where: `payload.quality == "bad"`, Drop: "bad quality"},
		Rule{Match: "t.{n}", Topic: "k/{n}"})
	for range 2 { // matched, remembered
		for _, step := range []struct{ key, payload, topic, reason string }{
			{key: "t.heartbeat", reason: "heartbeats"},
			{key: "t.7", payload: `{"quality":"bad"}`, reason: "bad quality"},
			{key: "t.7", payload: `{"quality":"good"}`, topic: "k/7"},
		} {
			m := carrying(step.key, step.payload)
			_, err := b.Handle(m)
			if reason, _ := feed.FilterReason(err); reason != step.reason {
				t.Errorf("%+v: error %v", step, err)
			}
			want := step.topic
			if step.reason != "" {
				want = step.key // left as it was
			}
			if feed.Topic(m) != want {
				t.Errorf("%+v: topic %q", step, feed.Topic(m))
			}
		}
	}
}

// An error shows no more than the beginning of what is foreign to it.
func TestExpressionErrorsAreBounded(t *testing.T) {
	b := newBridge(t, nil, Rule{Match: "t", Where: `int(payload.a) == 1 && "` + strings.Repeat("x", 1000) + `" != ""`, Topic: "k"})
	m := carrying("t", `{"a":"`+strings.Repeat("y\\n", 10_000)+`"}`)
	if _, err := b.Handle(m); err == nil || len(err.Error()) > 600 || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

// TestExpressionsAreNotRemembered handles messages by a bridge that remembers and
// by one that does not.
func TestExpressionsAreNotRemembered(t *testing.T) {
	rules := []Rule{
		{Match: "a.{k}", Where: `payload.a == "x"`, Topic: "0/{k}"},
		{Match: "{k}.a", Fields: map[string]string{"/b": "{b}"}, Where: `headers.h == "v"`, Topic: "1/{k}/{b}"},
		{Match: "{k}.b", Let: map[string]string{"c": `has(payload.c) ? string(payload.c) : k`}, Topic: "2/{k}/{c}"},
		{Match: "{k}.*", Fields: map[string]string{"/c": "{c}"}, Topic: "3/{k}/{c}"},
		{Match: "b.*", Where: `"h" in headers`, Drop: "dropped"},
		{Match: "b.*", Topic: "4"},
	}
	size := func(keys int) func(*Config) { return func(c *Config) { c.CacheKeys = keys } }
	remembers, forgets := newBridge(t, size(8), rules...), newBridge(t, size(0), rules...)
	rapid.Check(t, func(rt *rapid.T) {
		for range 30 {
			payload := fmt.Sprintf(`{"a":%q,"b":%d,"c":%d}`, rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "a"), rapid.IntRange(0, 1).Draw(rt, "b"), rapid.IntRange(0, 1).Draw(rt, "c"))
			key := rapid.SampledFrom([]string{"a.a", "a.b", "a.c", "b.a", "b.b", "b.c", "c"}).Draw(rt, "key")
			if rapid.Bool().Draw(rt, "cut") {
				payload = `{"b":1}`
			}
			var headers []string
			if rapid.Bool().Draw(rt, "header") {
				headers = []string{"h", rapid.SampledFrom([]string{"v", "w"}).Draw(rt, "h")}
			}
			first, second := carrying(key, payload, headers...), carrying(key, payload, headers...)
			_, firstErr := remembers.Handle(first)
			_, secondErr := forgets.Handle(second)
			if fmt.Sprint(firstErr) != fmt.Sprint(secondErr) || !maps.Equal(first.Metadata, second.Metadata) {
				rt.Fatalf("key %q, payload %s: %v, %v with memory, %v, %v without", key, payload, first.Metadata, firstErr, second.Metadata, secondErr)
			}
		}
	})
}

func FuzzExpression(f *testing.F) {
	f.Add(`payload.a > 1`, `payload.b + "x"`, []byte(`{"a":2,"b":"y"}`), "v")
	f.Add(`payload.exists(k, payload[k] == h)`, `h.split(",")[0]`, []byte(`{"a":"v"}`), "v")
	f.Add(`has(payload.a.b)`, `payload.a.b * 2.5`, []byte(`{"a":{"b":1.5}}`), "")
	f.Add(`h.matches("a|b")`, `size(payload)`, []byte(`[1,{"a":null}]`), "b")
	f.Fuzz(func(t *testing.T, where, let string, payload []byte, header string) {
		c := DefaultConfig()
		c.MaxTopicBytes = maxTopicBytes
		c.Rules = []Rule{{Match: "t", Headers: map[string]string{"h": "{h}"}, Where: where, Let: map[string]string{"x": let}, Topic: "k/{h}/{x}", Payload: Payload{Fields: map[string]string{"y": let}}}}
		b, err := NewBridge(c, feed.StageEnv{})
		if err != nil {
			return
		}
		m := &message.Message{Payload: payload, Metadata: message.Metadata{feed.MetaTopic: "t", "h": header}}
		if _, err := b.Handle(m); err != nil {
			if !feed.IsPermanent(err) || feed.Topic(m) != "t" || !bytes.Equal(m.Payload, payload) {
				t.Fatalf("error %v, topic %q", err, feed.Topic(m))
			}
			return
		}
		if !json.Valid(m.Payload) {
			t.Fatalf("the payload became %q", m.Payload)
		}
		checkTopic(t, feed.Topic(m))
		if strings.Count(feed.Topic(m), "/") != 2 {
			t.Fatalf("topic %q has other levels than its template", feed.Topic(m))
		}
	})
}
