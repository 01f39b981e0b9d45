package bridge

import (
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

// What a message brings and an expression cannot take is named, with what to
// write instead.
func TestUnfitValues(t *testing.T) {
	for _, tt := range []struct {
		expression, v string
		want          string // after key and expression
	}{
		{expression: `payload.v * 10`, v: `"48.3"`, want: `* does not take the text "48.3" and the number 10 (double(payload.v) makes a number of a text, string(10) a text of a number)`},
		{expression: `payload.v * 10`, v: `null`, want: `* does not take null and the number 10 (ask first: payload.v != null)`},
		{expression: `payload.v * 10`, v: `true`, want: `* does not take true and the number 10`},
		{expression: `payload.v > 10`, v: `"48.3"`, want: `> does not take the text "48.3" and the number 10 (double(payload.v) makes`},
		{expression: `payload.v <= 10`, v: `null`, want: `<= does not take null and the number 10 (ask first: payload.v != null)`},
		{expression: `10.0 < payload.v`, v: `[1]`, want: `< does not take the number 10 and a list`},
		{expression: `payload.v + 1`, v: `{"a":1}`, want: `+ does not take an object and the number 1`},
		{expression: `n + payload.v`, v: `1.5`, want: `+ does not take the text "7" and the number 1.5 (double(n) makes a number of a text, string(payload.v) a text of a number)`},
		{expression: `payload.v % 2`, v: `7.5`, want: `% does not take the number 7.5 and the number 2 (int(…) makes a whole number)`},
		{expression: `-payload.v`, v: `"x"`, want: `- does not take the text "x" (double(payload.v) makes a number of a text)`},
		{expression: `payload.v.startsWith("x")`, v: `7`, want: `startsWith does not take the number 7 and the text "x" (string(payload.v) makes a text of a number)`},
		{expression: `payload.v.split(",")[0]`, v: `null`, want: `split does not take null and the text "," (ask first: payload.v != null)`},
		{expression: `int(payload.v)`, v: `null`, want: `int does not take null (ask first: payload.v != null)`},
		{expression: `size(payload.v)`, v: `7`, want: `size does not take the number 7 (string(payload.v) makes a text of a number)`},
		{expression: `int(payload.v * 10) + 1`, v: `"a"`, want: `* does not take the text "a" and the number 10 (`},
		{expression: `payload.v.exists(x, x > 2)`, v: `["a",1]`, want: `> does not take the text "a" and the number 2 (double(x) makes`},
		{expression: `payload.v && true`, v: `"yes"`, want: `no such overload (a condition is true or false: compare it, as in payload.running == true)`},
		{expression: `payload.v ? 1 : 2`, v: `1`, want: `no such overload (a condition is true or false: compare it, as in payload.running == true)`},

		{expression: `payload.v * 10`, v: `"` + strings.Repeat("y", 1000) + `"`, want: `* does not take the text "` + strings.Repeat("y", 60) + `"… (1000 bytes) and the number 10 (double(payload.v) makes`},

		{expression: strings.Repeat("int(", 30) + `payload.v ? 1 : 2` + strings.Repeat(")", 30), v: `1`, want: `no such overload (a condition is`},
		{expression: `dyn(payload.v.map(x, x * 2)) + 1`, v: `[1]`, want: `+ does not take a list and the number 1`},
		{expression: `dyn(payload.v.map(x, x * 2)) + 1`, v: `[1,"a"]`, want: `* does not take the text "a" and the number 2 (double(x) makes`},

		{expression: `payload.w + 1`, v: `1`, want: `no such key: w (ask first: has(payload.w))`},
		{expression: `payload.v.w.x == 1`, v: `{"w":{}}`, want: `no such key: x (ask first: has(payload.v.w.x))`},
		{expression: `payload["w"] + 1`, v: `1`, want: `no such key: w (ask first: "w" in payload)`},
		{expression: `headers["a-b"]`, v: `1`, want: `no such key: a-b (ask first: "a-b" in headers)`},
		{expression: `headers.site`, v: `1`, want: `no such key: site (ask first: has(headers.site))`},
		{expression: `tables.devices[payload.v].site`, v: `"press9"`, want: `no such key: press9 (ask first: payload.v in tables.devices)`},
	} {
		b := newBridge(t, func(c *Config) {
			c.Tables = map[string]Table{"devices": {Key: "device", Rows: []map[string]string{{"device": "press7", "site": "aachen"}}}}
		}, Rule{Match: "t.{n}", Topic: "k/{n}", Payload: Payload{Fields: map[string]string{"y": tt.expression}}})
		for range 2 {
			_, err := b.Handle(carrying("t.7", `{"v":`+tt.v+`}`))
			if want := "rules[0].payload.fields.y: " + tt.expression + ": " + tt.want; !feed.IsPermanent(err) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("of %s: error %v, want %s", tt.v, err, want)
			}
		}
	}
}

// What an operator absorbs is no error.
func TestUnfitValuesThatDoNotMatter(t *testing.T) {
	for expression, payload := range map[string]string{
		`payload.v.exists(x, x > 2)`:              `{"v":["a",3]}`,
		`payload.v > 2 || payload.w == 1`:         `{"v":"a","w":1}`,
		`!(payload.v > 2 && payload.w.x == 1)`:    `{"v":"a","w":{"x":2}}`,
		`has(payload.x) ? payload.x > 1 : n > ""`: `{}`,
	} {
		if got, err := computes(t, expression, payload); err != nil || got != `{"y":true}` {
			t.Errorf("%s of %s: %s, error %v", expression, payload, got, err)
		}
	}
}
