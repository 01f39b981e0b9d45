package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestSameNumber(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"1", "1", true}, {"1", "1.0", true}, {"1e2", "100", true}, {"0.1", "0.10", true}, {"1", "2", false},
		{"9007199254740993", "9007199254740992", false}, {"1e999", "2e999", false}, {"1e999", "1e999", true},
	} {
		if got := sameNumber(tt.a, tt.b); got != tt.same {
			t.Errorf("%s and %s: %v", tt.a, tt.b, got)
		}
	}
}

func TestComparePayload(t *testing.T) {
	for _, tt := range []struct{ want, got, differences string }{
		{`{"a":1,"b":[1,2]}`, ` { "b" : [1.0, 2], "a": 1 } `, ""},
		{`{"a":{"b":1}}`, `{"a":{"b":"1"}}`, `payload /a/b: 1 is "1"`},
		{`{"a":1}`, `{"b":1}`, `payload /a: 1 is ; payload /b:  is 1`},
		{`[1,2]`, `[1]`, `payload /1: 2 is `},
		{`{"a/b~":null}`, `{"a/b~":false}`, `payload /a~1b~0: null is false`},
		{`1`, `no JSON`, `payload is no JSON: 1 is no JSON`},
		{`1`, `1 2`, `payload is no JSON: 1 is 1 2`},
	} {
		var got []string
		for _, d := range comparePayload("payload", []byte(tt.want), []byte(tt.got)) {
			got = append(got, fmt.Sprintf("%s: %s is %s", d.at, d.want, d.got))
		}
		if text := strings.Join(got, "; "); text != tt.differences {
			t.Errorf("%s and %s: %q, want %q", tt.want, tt.got, text, tt.differences)
		}
	}
}
