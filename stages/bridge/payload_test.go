package bridge

import (
	"bytes"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

func TestPayload(t *testing.T) {
	fields := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	const reading = ` { "a" : 1.50, "b\u0063": [ 1, 2 ] , "v":"x", "a":2 } `
	for _, tt := range []struct {
		name    string
		payload Payload
		from    string
		want    string // or
		err     string
	}{
		{name: "select", payload: Payload{Select: []string{"a", "bc", "x"}}, from: reading, want: `{"a":1.50,"b\u0063":[ 1, 2 ],"a":2}`},
		{name: "select nothing that is there", payload: Payload{Select: []string{"x"}}, from: reading, want: `{}`},
		{name: "add", payload: Payload{Fields: fields("n", `n`, "m", `int(n) + 1`)}, from: reading, want: `{"a":1.50,"b\u0063":[ 1, 2 ],"v":"x","a":2,"m":8,"n":"7"}`},
		{name: "replace", payload: Payload{Fields: fields("a", `payload.a * 2.0`, "bc", `size(payload.bc)`)}, from: reading, want: `{"a":3,"bc":2,"v":"x"}`},
		{name: "select and add", payload: Payload{Select: []string{"v"}, Fields: fields("line", `"line-" + n`)}, from: reading, want: `{"v":"x","line":"line-7"}`},
		{name: "computed alone", payload: Payload{Select: []string{}, Fields: fields("x", `x`)}, from: reading, want: `{"x":14}`},
		{name: "all types", payload: Payload{Select: []string{}, Fields: fields("v",
			`[null, true, -1, 2u, 1.5, 1e300, 0.0, "ü\"\\\n", b"\x00\xff", timestamp("2026-11-21T03:40:39.5+01:00"), duration("90s"), {"b": [], "a": {}, "c": payload.bc}]`)},
			from: reading, want: `{"v":[null,true,-1,2,1.5,1e+300,0,"ü\"\\\u000a","AP8=","2026-11-21T02:40:39.5Z","90s",{"a":{},"b":[],"c":[1,2]}]}`},
		{name: "whole numbers are exact", payload: Payload{Select: []string{}, Fields: fields("v", `payload.v + 1`)}, from: `{"v":9007199254740993}`, want: `{"v":9007199254740994}`},
		{name: "empty object", payload: Payload{Fields: fields("v", `1`)}, from: `{}`, want: `{"v":1}`},

		{name: "no object", payload: Payload{Select: []string{"a"}}, from: `[1]`, err: "rules[0].payload: the payload is JSON but no object"},
		{name: "no JSON", payload: Payload{Select: []string{"a"}}, from: `{"a":1`, err: "rules[0].payload: the payload is no JSON: byte 6: a , or } is missing after a member"},
		{name: "empty", payload: Payload{Fields: fields("v", `1`)}, from: ``, err: "rules[0].payload: the payload is no JSON: byte 0: a value is missing"},
		{name: "not there", payload: Payload{Fields: fields("v", `payload.z`)}, from: reading, err: "rules[0].payload.fields.v: payload.z: no such key: z (ask first: has(payload.z))"},
		{name: "not finite", payload: Payload{Fields: fields("v", `[1.0 / 0.0]`)}, from: reading, err: "rules[0].payload.fields.v: [1.0 / 0.0]: it is no finite number"},
		{name: "a type", payload: Payload{Fields: fields("v", `type(n)`)}, from: reading, err: "rules[0].payload.fields.v: type(n): it is a type, which JSON has not"},
		{name: "equal names", payload: Payload{Fields: fields("v", `{1: 2, "1": 3}`)}, from: reading, err: `rules[0].payload.fields.v: {1: 2, "1": 3}: two of its members are named "1"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBridge(t, nil, Rule{Match: "t.{n}", Let: map[string]string{"x": "int(n) * 2"}, Topic: "k/{n}/{x}", Payload: tt.payload})
			for range 2 {
				given := []byte(tt.from)
				m := keyed("t.7")
				m.Payload = given
				before := maps.Clone(m.Metadata)
				_, err := b.Handle(m)
				if string(given) != tt.from {
					t.Errorf("the bytes of the payload were changed to %q", given)
				}
				if tt.err != "" {
					if !feed.IsPermanent(err) || err.Error() != tt.err || string(m.Payload) != tt.from || !maps.Equal(before, m.Metadata) {
						t.Errorf("error %v, want %s; payload %q, metadata %v", err, tt.err, m.Payload, m.Metadata)
					}
				} else if err != nil || string(m.Payload) != tt.want || feed.Topic(m) != "k/7/14" {
					t.Errorf("payload %s, topic %q, error %v, want %s", m.Payload, feed.Topic(m), err, tt.want)
				}
			}
		})
	}
}

// A rule that only selects is remembered, and selects from each message.
func TestSelectOfRemembered(t *testing.T) {
	b := newBridge(t, nil, Rule{Match: "t.{n}", Topic: "k/{n}", Payload: Payload{Select: []string{"a"}}})
	for i := range 3 {
		m := carrying("t.7", `{"b":1,"a":`+strconv.Itoa(i)+`}`)
		if _, err := b.Handle(m); err != nil || string(m.Payload) != `{"a":`+strconv.Itoa(i)+`}` {
			t.Errorf("payload %s, error %v", m.Payload, err)
		}
	}
	if b.cache.get("t.7", nil) == nil {
		t.Error("it is not remembered")
	}
}

// TestSelectKeepsBytes selects any members of any object, and finds their exact
// bytes.
func TestSelectKeepsBytes(t *testing.T) {
	space := rapid.SampledFrom([]string{"", " ", "\n\t"})
	value := rapid.SampledFrom([]string{`1.50`, `-0`, `1E400`, `"\u00fc\/ \""`, `{ "a" : [ ] }`, `[1, {"b":null}]`, "null", `"a,\"b\":1"`, `12345678901234567890`})
	name := rapid.SampledFrom([]string{`"a"`, `"b"`, `"\u0061"`, `"c\\d"`, `""`, `"é"`})
	rapid.Check(t, func(rt *rapid.T) {
		keep := map[string]bool{}
		selected := []string{}
		for _, n := range []string{"a", "b", `c\d`, "", "é"} {
			if rapid.Bool().Draw(rt, "keep") {
				keep[n] = true
				selected = append(selected, n)
			}
		}
		var from, want []string
		for range rapid.IntRange(0, 6).Draw(rt, "members") {
			n, v := name.Draw(rt, "name"), value.Draw(rt, "value")
			from = append(from, space.Draw(rt, "space")+n+space.Draw(rt, "space")+":"+space.Draw(rt, "space")+v+space.Draw(rt, "space"))
			var plain string
			if err := json.Unmarshal([]byte(n), &plain); err != nil {
				rt.Fatal(err)
			}
			if keep[plain] {
				want = append(want, n+":"+v)
			}
		}
		b := newBridge(rt, nil, Rule{Match: "t", Topic: "k", Payload: Payload{Select: selected}})
		m := carrying("t", " {"+strings.Join(from, ",")+"} ")
		given := bytes.Clone(m.Payload)
		if _, err := b.Handle(m); err != nil || string(m.Payload) != "{"+strings.Join(want, ",")+"}" {
			rt.Fatalf("of %s keeping %q: %s, error %v", given, selected, m.Payload, err)
		}
	})
}
