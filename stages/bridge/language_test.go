package bridge

import (
	"errors"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

// TestExpressionProblems checks what is said about expressions before any
// message comes.
func TestExpressionProblems(t *testing.T) {
	where := func(expression string) Rule { return Rule{Match: "t.{n}", Where: expression, Topic: "k/{n}"} }
	let := func(name, expression string) Rule {
		return Rule{Match: "t.{n}", Let: map[string]string{name: expression}, Topic: "k/{n}/{" + name + "}"}
	}
	for _, tt := range []struct {
		name                 string
		rule                 Rule
		key, problem, remedy string // no key: valid
		noRemedy             bool
	}{
		{name: "valid", rule: where(`n == "7" && payload.a.b[0] > 2 && headers.h != "" && time < timestamp("2027-01-01T00:00:00Z")`)},
		{name: "name that only an expression uses", rule: Rule{Match: "t.{n}", Where: `n == "7"`, Topic: "k"}},
		{name: "name of a type", rule: Rule{Match: "t.{type}", Where: `type == "7"`, Topic: "k"}},
		{name: "dynamic value", rule: let("x", `payload.a`)},
		{name: "captured names may be what they like without expressions", rule: Rule{Match: "t.{payload}", Topic: "k/{payload}"}},

		{name: "typo", rule: where(`paylod.a == 1`), key: "where", problem: "undeclared reference to 'paylod', at `paylod.a == 1`", remedy: "did you mean payload? the rule knows n, headers, key, payload, time"},
		{name: "typo in the second line", rule: where("n == '7' &&\n  N == '8'"), key: "where", problem: "undeclared reference to 'N', at `N == '8'`", remedy: "the rule knows n"},
		{name: "no table", rule: where(`key in tables.devices`), key: "where", problem: "there is no such table, at `tables.devices`", remedy: "name it in tables"},
		{name: "syntax", rule: where(`payload.a >`), key: "where", problem: "the expression ends too early"},
		{name: "other language", rule: where(`n == "7" and n == "8"`), key: "where", problem: ", at `and n == \"8\"`", remedy: "write &&, || and !"},
		{name: "no bool", rule: where(`payload.a`), key: "where", problem: "payload.a is of the type dyn and must be bool", remedy: "== true"},
		{name: "text and number", rule: where(`n > 6`), key: "where", problem: "found no matching overload for '_>_' applied to '(string, int)', at `> 6`", remedy: "what is captured is a string: int(n)"},
		{name: "no such function", rule: where(`n.shout() == "A"`), key: "where", problem: "there is no function shout, at `() == \"A\"`"},
		{name: "constant that is wrong", rule: where(`n.matches("(")`), key: "where", problem: "missing closing ): `(`, at `\"(\")`", remedy: "RE2"},
		{name: "one equals sign", rule: where(`payload.quality = "good"`), key: "where", problem: "= is no operator, at `= \"good\"`", remedy: "== compares"},
		{name: "one equals sign without spaces", rule: where(`payload.quality="good"`), key: "where", problem: "= is no operator, at `=\"good\"`", remedy: "== compares"},
		{name: "nearly a function", rule: where(`n.contain("x")`), key: "where", problem: "there is no function contain, at ", remedy: "did you mean contains?"},
		{name: "nearly a member", rule: where(`payload.quality == "good" || qualty == "x"`), key: "where", problem: "undeclared reference to 'qualty'", remedy: "did you mean payload.quality? the rule knows n"},
		{name: "captured nothing", rule: Rule{Match: "t", Where: `payload.v * "x" > 1`, Topic: "k"}, key: "where", problem: "applied to '(dyn, string)', at `* \"x\" > 1`", noRemedy: true},
		{name: "values of two types", rule: let("x", `n == "7" ? 1 : 1.5`), key: "let.x", problem: "'(bool, int, double)', at `? 1 : 1.5`", remedy: "dyn(…)"},
		{name: "number as a condition", rule: where(`payload.value + 1`), key: "where", problem: "payload.value + 1 is of the type dyn and must be bool"},
		{name: "long expression", rule: where(`n == "` + strings.Repeat("é", 50) + `" && N`), key: "where", problem: "'N', at `N`"},
		{name: "long rest", rule: where(`N == "` + strings.Repeat("é", 50) + `"`), key: "where", problem: "at `N == \"" + strings.Repeat("é", 24) + "…`"},
		{name: "too long", rule: where(`n == "` + strings.Repeat("x", 5000) + `"`), key: "where", problem: "has 5007 bytes, more than 4096"},
		{name: "word of the language", rule: Rule{Match: "t.{in}", Where: `in == "7"`, Topic: "k"}, key: "where", problem: "Syntax error"},
		{name: "variable as a captured name", rule: Rule{Match: "t.{payload}", Where: `true`, Topic: "k/{payload}"}, key: "match", problem: "in expressions payload is something else than {payload}", remedy: "another name"},
		{name: "variable as a computed name", rule: let("key", `n`), key: "let.key", problem: "meaning of its own", remedy: "another name"},
		{name: "no name", rule: let("a-b", `n`), key: "let", problem: `"a-b" is no name`},
		{name: "captured and computed", rule: let("n", `n + "x"`), key: "let.n", problem: "second time"},
		{name: "computed and never used", rule: Rule{Match: "t.{n}", Let: map[string]string{"x": "n"}, Topic: "k/{n}"}, key: "let.x", problem: "{x} is computed and never used", remedy: "remove it"},
		{name: "no text", rule: let("x", `[n]`), key: "let.x", problem: "is of the type list(string), which has no text", remedy: "make it a string"},
		{name: "let knows no let", rule: Rule{Match: "t.{n}", Let: map[string]string{"x": "n", "y": "x"}, Topic: "k/{x}/{y}"}, key: "let.y", problem: "undeclared reference to 'x'"},

		{name: "payload", rule: Rule{Match: "t.{n}", Let: map[string]string{"x": "int(n)"}, Topic: "k", Payload: Payload{Select: []string{"a"}, Fields: map[string]string{"y": "x + 1"}}}},
		{name: "member twice", rule: Rule{Match: "t", Topic: "k", Payload: Payload{Select: []string{"a", "b", "a"}}}, key: "payload.select[2]", problem: `"a" is there twice`},
		{name: "wrong member", rule: Rule{Match: "t", Topic: "k", Payload: Payload{Fields: map[string]string{"a.b": "x"}}}, key: `payload.fields["a.b"]`, problem: "undeclared reference to 'x', at `x`"},
		{name: "computed type", rule: Rule{Match: "t.{n}", Let: map[string]string{"x": "int(n)"}, Topic: "k", Payload: Payload{Fields: map[string]string{"y": "x + n"}}}, key: "payload.fields.y", problem: "(int, string)"},
		{name: "drop and payload", rule: Rule{Match: "t", Drop: "x", Payload: Payload{Select: []string{"a"}}}, key: "payload", problem: "no use in a rule that drops"},

		{name: "event", rule: Rule{Match: "t.{n}", Topic: "k", CloudEvents: &CloudEvents{Mode: ModeAMQP, Type: "t", Source: "/a/{n}", Subject: "{n}", ID: "{n}"}}},
		{name: "no mode", rule: Rule{Match: "t", Topic: "k", CloudEvents: &CloudEvents{Type: "t", Source: "/s"}}, key: "cloudEvents.mode", problem: `"" is unknown`, remedy: "structured, mqtt, amqp, http"},
		{name: "no type", rule: Rule{Match: "t", Topic: "k", CloudEvents: &CloudEvents{Mode: ModeMQTT, Source: "/s"}}, key: "cloudEvents.type", problem: "is empty"},
		{name: "no source", rule: Rule{Match: "t", Topic: "k", CloudEvents: &CloudEvents{Mode: ModeMQTT, Type: "t"}}, key: "cloudEvents.source", problem: "is empty"},
		{name: "source that is no URI", rule: Rule{Match: "t", Topic: "k", CloudEvents: &CloudEvents{Mode: ModeMQTT, Type: "t", Source: "a b"}}, key: "cloudEvents.source", problem: `"a b" is no URI reference`, remedy: "percent-encode"},
		{name: "unknown name in an attribute", rule: Rule{Match: "t", Topic: "k", CloudEvents: &CloudEvents{Mode: ModeMQTT, Type: "{t}", Source: "/s"}}, key: "cloudEvents.type", problem: "captures no {t}"},
		{name: "line end in an attribute", rule: Rule{Match: "t", Topic: "k", CloudEvents: &CloudEvents{Mode: ModeMQTT, Type: "t", Source: "/s", Subject: "a\nb"}}, key: "cloudEvents.subject", problem: "holds a character"},
		{name: "attribute that is set", rule: Rule{Match: "t", Topic: "k", Set: map[string]string{"ce-type": "x"}, CloudEvents: &CloudEvents{Mode: ModeHTTP, Type: "t", Source: "/s"}}, key: "set.ce-type", problem: "is what cloudEvents sets"},
		{name: "content type of an event", rule: Rule{Match: "t", Topic: "k", Set: map[string]string{"content_type": "x"}, CloudEvents: &CloudEvents{Mode: ModeStructured, Type: "t", Source: "/s"}}, key: "set.content_type", problem: "is what cloudEvents sets"},
		{name: "drop and event", rule: Rule{Match: "t", Drop: "x", CloudEvents: &CloudEvents{}}, key: "cloudEvents", problem: "no use in a rule that drops"},

		{name: "drop", rule: Rule{Match: "t", Drop: "heartbeats, 2 a minute"}},
		{name: "long reason", rule: Rule{Match: "t", Drop: strings.Repeat("x", 65)}, key: "drop", problem: "no short, printable reason", remedy: "at most 64 bytes"},
		{name: "reason in two lines", rule: Rule{Match: "t", Drop: "a\nb"}, key: "drop", problem: "no short, printable reason"},
		{name: "drop and topic", rule: Rule{Match: "t", Drop: "x", Topic: "k"}, key: "topic", problem: "no use in a rule that drops", remedy: "remove it, or drop"},
		{name: "drop and set", rule: Rule{Match: "t", Drop: "x", Set: map[string]string{"a": "b"}}, key: "set", problem: "no use in a rule that drops"},
		{name: "neither topic nor drop", rule: Rule{Match: "t"}, key: "topic", problem: "is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultConfig()
			c.Rules = []Rule{tt.rule}
			err := c.Validate()
			if tt.key == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var wrong *feed.ConfigError
			if !errors.As(err, &wrong) {
				t.Fatalf("error %v", err)
			}
			if wrong.Key != "rules[0]."+tt.key || !strings.Contains(wrong.Problem, tt.problem) || !strings.Contains(wrong.Remedy, tt.remedy) || tt.noRemedy && wrong.Remedy != "" {
				t.Errorf("got %#v, want %s, %q, %q", wrong, tt.key, tt.problem, tt.remedy)
			}
			if _, err := NewBridge(c, feed.StageEnv{}); err == nil {
				t.Error("the bridge was made")
			}
		})
	}
}

// A mistake is at a character of its expression, whatever line it is on.
func TestPlaceOfAMistake(t *testing.T) {
	for expression, want := range map[string]int{
		`paylod.a == 1`:                        1,
		`n == "é" && N == ""`:                  13,
		"n == 'é' &&\n  N == ''":               15,
		`payload.a = 1`:                        11,
		`n.matches("[")`:                       11,
		`tables.devices[n].sight == ""`:        18,
		"n != '' &&\ntables.devices.x.y == ''": 28,
		`payload.a >`:                          12,
	} {
		c := DefaultConfig()
		c.Tables = map[string]Table{"devices": {Key: "device", Rows: []map[string]string{{"device": "press7"}}}}
		c.Rules = []Rule{{Match: "t.{n}", Where: expression, Topic: "k/{n}"}}
		var wrong *feed.ConfigError
		if err := c.Validate(); !errors.As(err, &wrong) || wrong.At != want {
			t.Errorf("%s: error %v, at %+v, want %d", expression, err, wrong, want)
		}
	}
}

// All that is wrong with a rule is said at once, and nothing that only follows
// from it.
func TestAllProblemsOfARule(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule Rule
		want []string
	}{
		{name: "where, let, fields, names", rule: Rule{
			Match: "t.{a}.{b}.{c}.{d}", Where: `a == "x" && bb == 7`,
			Let:     map[string]string{"x": `b +`, "y": `size(c)`, "z": `[1]`},
			Topic:   "k/{x}/{y}/{z}",
			Payload: Payload{Fields: map[string]string{"f": `x + 1`, "g": `yy == 1`}},
		}, want: []string{
			"where: undeclared reference to 'bb'", "let.x: the expression ends too early", "let.z: is of the type list(int)",
			"payload.fields.g: undeclared reference to 'yy'", "match: {d} is captured and never used",
		}},
		{name: "where and a name in topic", rule: Rule{Match: "t.{a}", Where: `u == 1`, Topic: "k/{aa}"}, want: []string{
			"where: undeclared reference to 'u'", "topic: the rule captures no {aa}", // and perhaps meant {a}
		}},
		{name: "two in one expression", rule: Rule{Match: "t", Where: `u == 1 && v == 2`, Drop: "x"}, want: []string{
			"where: undeclared reference to 'u'", "where: undeclared reference to 'v'",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultConfig()
			c.Rules = []Rule{tt.rule}
			err := c.Validate()
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tt.want) {
				t.Fatalf("got\n%v\nwant %d problems", err, len(tt.want))
			}
			for i := range got {
				if !strings.HasPrefix(got[i], "rules[0]."+tt.want[i]) {
					t.Errorf("got %s, want %s", got[i], tt.want[i])
				}
			}
		})
	}
}

// A rule with an expression hides no later one, however wide its pattern is.
func TestWhereHidesNothing(t *testing.T) {
	c := DefaultConfig()
	c.Rules = []Rule{{Match: "{...}", Where: `key != ""`, Drop: "x"}, {Match: "t", Where: "true", Topic: "a"}, {Match: "t", Topic: "k"}}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.Rules = []Rule{{Match: "{...}", Topic: "k"}, {Match: "t", Where: "true", Topic: "a"}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "rules[1].match: never matches") {
		t.Errorf("error %v", err)
	}
}
