package bridge

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

func TestValidate(t *testing.T) {
	rule := func(match, topic string) []Rule { return []Rule{{Match: match, Topic: topic}} }
	fields := func(patterns map[string]string, topic string) []Rule {
		return []Rule{{Match: "t", Fields: patterns, Topic: topic}}
	}
	tests := []struct {
		name    string
		edit    func(*Config)
		rules   []Rule
		key     string // "" means valid
		problem string
	}{
		{name: "valid", rules: []Rule{telemetry}},
		{name: "no rule", key: "rules", problem: "no rule"},
		{name: "unmatched", edit: func(c *Config) { c.Unmatched = "drop" }, rules: []Rule{telemetry}, key: "unmatched", problem: `"drop"`},
		{name: "no separator", edit: func(c *Config) { c.Separator = "" }, rules: []Rule{telemetry}, key: "separator"},
		{name: "long separator", edit: func(c *Config) { c.Separator = ".." }, rules: []Rule{telemetry}, key: "separator"},
		{name: "brace as separator", edit: func(c *Config) { c.Separator = "{" }, rules: []Rule{telemetry}, key: "separator"},
		{name: "max topic bytes", edit: func(c *Config) { c.MaxTopicBytes = 65536 }, rules: []Rule{telemetry}, key: "maxTopicBytes"},
		{name: "cache keys", edit: func(c *Config) { c.CacheKeys = -1 }, rules: []Rule{telemetry}, key: "cacheKeys"},

		{name: "empty match", rules: rule("", "x"), key: "rules[0].match", problem: "is missing: write"},
		{name: "no match beside fields", rules: []Rule{{Fields: map[string]string{"/a": "{a}"}, Topic: "{a}"}}, key: "rules[0].match", problem: "{...}, which matches any"},
		{name: "name twice", rules: rule("{a}.{a}", "{a}"), key: "rules[0].match", problem: "second time"},
		{name: "name twice in a header", rules: []Rule{{Match: "{a}", Headers: map[string]string{"h": "{a}"}, Topic: "{a}"}}, key: "rules[0].headers.h", problem: "second time"},
		{name: "bad name", rules: rule("{a-b}", "x"), key: "rules[0].match", problem: `"a-b" is no name`},
		{name: "no name", rules: rule("{}", "x"), key: "rules[0].match", problem: "no name"},
		{name: "bad rest name", rules: rule("{a b...}", "x"), key: "rules[0].match", problem: "no name"},
		{name: "open brace", rules: rule("a.{b", "x"), key: "rules[0].match", problem: "never closed"},
		{name: "closing brace", rules: rule("a}.b", "x"), key: "rules[0].match", problem: "without its {"},
		{name: "rest in the middle", rules: rule("{a...}.b", "{a...}"), key: "rules[0].match", problem: "last part"},
		{name: "rest within a part", rules: rule("x{a...}", "{a...}"), key: "rules[0].match", problem: "alone"},
		{name: "rest of a header", rules: []Rule{{Match: "t", Headers: map[string]string{"h": "{a...}"}, Topic: "{a...}"}}, key: "rules[0].headers.h", problem: "alone"},
		{name: "plus", rules: rule("a.+.b", "x"), key: "rules[0].match", problem: "* without a name"},
		{name: "plus within a part", rules: rule("a.b+c", "x")},
		{name: "hash", rules: rule("a.#", "x"), key: "rules[0].match", problem: "{...}"},
		{name: "touching captures", rules: rule("{a}{b}", "{a}/{b}"), key: "rules[0].match", problem: "touch"},
		{name: "too many names", rules: rule(manyParts(33)), key: "rules[0].match", problem: "more than 32"},
		{name: "as many names as there may be", rules: rule(manyParts(32))},
		{name: "unused name", rules: rule("{a}.{b}", "{a}"), key: "rules[0].match", problem: "{b} is captured and never used"},
		{name: "name used in set only", rules: []Rule{{Match: "{a}.{b}", Topic: "{a}", Set: map[string]string{"x": "{b}"}}}},
		{name: "topic as header", rules: []Rule{{Match: "t", Headers: map[string]string{"topic": "*"}, Topic: "x"}}, key: "rules[0].headers.topic"},

		{name: "fields", rules: fields(map[string]string{"/a": "{a}", "/b/0": "x-*", "/c~1d": "y", "": "*"}, "{a}")},
		{name: "no pointer", rules: fields(map[string]string{"a": "{a}"}, "{a}"), key: "rules[0].fields.a", problem: "begins with /"},
		{name: "bad escape in a pointer", rules: fields(map[string]string{"/a~2": "{a}"}, "{a}"), key: "rules[0].fields./a~2", problem: "~0"},
		{name: "pointer with a dot", rules: fields(map[string]string{"/a.b": "{"}, "x"), key: `rules[0].fields["/a.b"]`, problem: "never closed"},
		{name: "pointer with a bracket", rules: fields(map[string]string{"/a]b": "{"}, "x"), key: `rules[0].fields["/a\x5db"]`, problem: "never closed"},
		{name: "pointer to the whole", rules: fields(map[string]string{"": "{"}, "x"), key: `rules[0].fields[""]`, problem: "never closed"},
		{name: "long pointer", rules: fields(map[string]string{strings.Repeat("/a", 65): "*"}, "x"), key: "rules[0].fields." + strings.Repeat("/a", 65), problem: "65 levels, more than 64"},
		{name: "bad pattern of a field", rules: fields(map[string]string{"/a": "{a}{b}"}, "{a}"), key: "rules[0].fields./a", problem: "touch"},
		{name: "rest of a field", rules: fields(map[string]string{"/a": "{a...}"}, "{a...}"), key: "rules[0].fields./a", problem: "alone"},
		{name: "name twice in a field", rules: []Rule{{Match: "{a}", Fields: map[string]string{"/a": "{a}"}, Topic: "{a}"}}, key: "rules[0].fields./a", problem: "second time"},
		{name: "name of a header in a field", rules: []Rule{{Match: "t", Headers: map[string]string{"h": "{a}"}, Fields: map[string]string{"/a": "{a}"}, Topic: "{a}"}}, key: "rules[0].fields./a", problem: "second time"},
		{name: "unused name of a field", rules: fields(map[string]string{"/a": "{a}"}, "x"), key: "rules[0].fields./a", problem: "never used"},
		{name: "unused name of a header", rules: []Rule{{Match: "t", Headers: map[string]string{"h": "{a}"}, Topic: "x"}}, key: "rules[0].headers.h", problem: "never used"},
		{name: "many pointers", rules: manyFields(64)},
		{name: "too many pointers", rules: manyFields(65), key: "rules[64].fields./p64", problem: "more than 64 different pointers"},
		{name: "fields after all", rules: append(rule("t", "x"), fields(map[string]string{"/a": "b"}, "y")...), key: "rules[1].match", problem: "never matches"},
		{name: "all after fields", rules: append(fields(map[string]string{"/a": "*"}, "x"), rule("t", "y")...)},
		{name: "other field", rules: append(fields(map[string]string{"/a": "*"}, "x"), fields(map[string]string{"/b": "*"}, "y")...)},
		{name: "more fields", rules: append(fields(map[string]string{"/a": "*"}, "x"), fields(map[string]string{"/a": "b", "/c": "*"}, "y")...), key: "rules[1].match", problem: "never matches"},
		{name: "fewer fields", rules: append(fields(map[string]string{"/a": "b", "/c": "*"}, "x"), fields(map[string]string{"/a": "b"}, "y")...)},
		{name: "another value", rules: append(fields(map[string]string{"/a": "b"}, "x"), fields(map[string]string{"/a": "*"}, "y")...)},

		{name: "empty topic", rules: rule("a", ""), key: "rules[0].topic", problem: "empty"},
		{name: "unknown part", rules: []Rule{telemetry, {Match: "x.{a}", Topic: "{a}/{b}"}}, key: "rules[1].topic", problem: "captures no {b}"},
		{name: "wildcard +", rules: rule("a", "x/+"), key: "rules[0].topic", problem: "wildcards"},
		{name: "wildcard #", rules: rule("a", "x/#"), key: "rules[0].topic", problem: "wildcards"},
		{name: "percent", rules: rule("a", "x%20"), key: "rules[0].topic", problem: "%"},
		{name: "NUL", rules: rule("a", "x\x00"), key: "rules[0].topic", problem: `"\x00"`},
		{name: "no UTF-8", rules: rule("a", "x\xff"), key: "rules[0].topic", problem: `"\xff"`},
		{name: "dot with escapeDots", edit: func(c *Config) { c.EscapeDots = true }, rules: rule("a", "x.y"), key: "rules[0].topic", problem: "dot"},
		{name: "values touch", rules: rule("{a}.{b}", "{a}{b}"), key: "rules[0].topic", problem: "touch"},
		{name: "values touch in the middle", rules: rule("{a}.{b}", "x{a}{b}y"), key: "rules[0].topic", problem: "touch"},
		{name: "beyond ASCII between values", rules: rule("{a}.{b}", "{a}é{b}"), key: "rules[0].topic", problem: "ASCII"},
		{name: "beyond ASCII elsewhere", rules: rule("{a}.{b}", "é{a}é/{b}é")},
		{name: "dollar after a value", rules: rule("{a}", "{a}$/x"), key: "rules[0].topic", problem: "begins with $"},
		{name: "rest without dots", rules: rule("{a...}", "{a}"), key: "rules[0].topic", problem: "with its dots"},
		{name: "dots without rest", rules: rule("{a}", "{a...}"), key: "rules[0].topic", problem: "without dots"},
		{name: "anonymous rest in a topic", rules: rule("a.{...}", "{...}"), key: "rules[0].topic", problem: "captures no"},
		{name: "rest in a level", rules: rule("{a...}", "x-{a...}"), key: "rules[0].topic", problem: "whole levels"},
		{name: "rest before text", rules: rule("{a...}", "{a...}.json"), key: "rules[0].topic", problem: "whole levels"},
		{name: "long topic", rules: rule("a", strings.Repeat("x", 1025)), key: "rules[0].topic", problem: "1025 bytes"},
		{name: "set unknown", rules: []Rule{{Match: "a", Topic: "x", Set: map[string]string{"h": "{b}"}}}, key: "rules[0].set.h", problem: "captures no {b}"},
		{name: "set topic", rules: []Rule{{Match: "a", Topic: "x", Set: map[string]string{"topic": "y"}}}, key: "rules[0].set.topic"},

		{name: "duplicate", rules: []Rule{telemetry, {Match: "telemetry.{a}.{b}.{c}.{d}", Topic: "{a}/{b}/{c}/{d}"}}, key: "rules[1].match", problem: "rules[0] comes first"},
		{name: "shadowed by captures", rules: []Rule{{Match: "*.*", Topic: "x"}, {Match: "a.{b}", Topic: "{b}"}}, key: "rules[1].match", problem: "never matches"},
		{name: "shadowed by a rest", rules: []Rule{{Match: "a.{...}", Topic: "x"}, {Match: "a.b.{c...}", Topic: "{c...}"}}, key: "rules[1].match", problem: "never matches"},
		{name: "rest of one more", rules: []Rule{{Match: "a.b.{...}", Topic: "x"}, {Match: "a.b", Topic: "y"}}},
		{name: "shorter rest later", rules: []Rule{{Match: "a.b.{...}", Topic: "x"}, {Match: "a.{...}", Topic: "y"}}},
		{name: "shadowed by text with a capture", rules: []Rule{{Match: "l-*", Topic: "x"}, {Match: "l-1", Topic: "y"}}, key: "rules[1].match", problem: "never matches"},
		{name: "particular first", rules: []Rule{{Match: "a.b", Topic: "x"}, {Match: "a.*", Topic: "y"}}},
		{name: "header makes it particular", rules: []Rule{{Match: "a", Headers: map[string]string{"h": "*"}, Topic: "x"}, {Match: "a", Topic: "y"}}},
		{name: "shadowed in spite of a header", rules: []Rule{{Match: "a", Headers: map[string]string{"h": "*"}, Topic: "x"}, {Match: "a", Headers: map[string]string{"h": "v", "i": "w"}, Topic: "y"}}, key: "rules[1].match", problem: "never matches"},
		{name: "fewer parts", rules: []Rule{{Match: "*.*", Topic: "x"}, {Match: "*.*.*", Topic: "y"}}},
		{name: "exact does not cover a rest", rules: []Rule{{Match: "*.*", Topic: "x"}, {Match: "*.{...}", Topic: "y"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultConfig()
			c.Rules = tt.rules
			if tt.edit != nil {
				tt.edit(&c)
			}
			err := c.Validate()
			if tt.key == "" {
				if err != nil {
					t.Fatalf("valid, but: %v", err)
				}
				return
			}
			var ce *feed.ConfigError
			if !errors.As(err, &ce) {
				t.Fatalf("error %v is no ConfigError", err)
			}
			if ce.Key != tt.key || !strings.Contains(ce.Problem, tt.problem) {
				t.Errorf("got %s, want key %s and %q", ce, tt.key, tt.problem)
			}
			if _, newErr := NewBridge(c, feed.StageEnv{}); newErr == nil || newErr.Error() != err.Error() {
				t.Errorf("NewBridge: %v, Validate: %v", newErr, err)
			}
		})
	}
}

func TestValidateReportsAll(t *testing.T) {
	c := DefaultConfig()
	c.MaxTopicBytes = 0
	c.Rules = []Rule{{Match: "a.#", Topic: "x"}, {Match: "a", Topic: "{x}", Set: map[string]string{"y": "{z}"}}}
	err := c.Validate()
	for _, key := range []string{"maxTopicBytes: ", "rules[0].match: ", "rules[1].topic: ", "rules[1].set.y: "} {
		if !strings.Contains(fmt.Sprint(err), key) {
			t.Errorf("%q is not reported in:\n%v", key, err)
		}
	}
}

// manyFields returns n rules, each with a pointer of its own.
func manyFields(n int) []Rule {
	var rules []Rule
	for i := range n {
		rules = append(rules, Rule{Match: "t", Fields: map[string]string{fmt.Sprintf("/p%d", i): "*"}, Topic: "x"})
	}
	return rules
}

// manyParts returns a pattern of n named parts and a topic of them.
func manyParts(n int) (match, topic string) {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf("{p%d}", i))
	}
	return strings.Join(parts, "."), strings.Join(parts, "/")
}
