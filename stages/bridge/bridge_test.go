package bridge

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// failer is a test, or a run of a property.
type failer interface {
	Helper()
	Fatalf(format string, a ...any)
}

// newBridge returns a bridge with the given rules, changed by edit.
func newBridge(t failer, edit func(*Config), rules ...Rule) *Bridge {
	t.Helper()
	c := DefaultConfig()
	c.Rules = rules
	if edit != nil {
		edit(&c)
	}
	b, err := NewBridge(c, feed.StageEnv{})
	if err != nil {
		t.Fatalf("new bridge: %v", err)
	}
	return b
}

func keyed(routingKey string, headers ...string) *message.Message {
	m := &message.Message{Payload: []byte("payload"), Metadata: message.Metadata{feed.MetaTopic: routingKey}}
	for i := 0; i+1 < len(headers); i += 2 {
		m.Metadata[headers[i]] = headers[i+1]
	}
	return m
}

var telemetry = Rule{Match: "telemetry.{site}.{line}.{device}.{tag}", Topic: "kraft/{site}/{line}/{device}/{tag}"}

func TestHandle(t *testing.T) {
	tests := []struct {
		name    string
		edit    func(*Config)
		rules   []Rule
		key     string
		headers []string
		want    string
	}{
		{name: "parts", rules: []Rule{telemetry}, key: "telemetry.s.l.d.t", want: "kraft/s/l/d/t"},
		{name: "order of the template", rules: []Rule{{Match: "{a}.{b}", Topic: "{b}/{a}"}}, key: "x.y", want: "y/x"},
		{name: "a value twice", rules: []Rule{{Match: "{a}", Topic: "{a}/{a}"}}, key: "x", want: "x/x"},
		{name: "anonymous part", rules: []Rule{{Match: "t.*.{b}", Topic: "{b}"}}, key: "t.anything.y", want: "y"},
		{name: "rest", rules: []Rule{{Match: "t.{r...}", Topic: "k/{r...}/end"}}, key: "t.a.b.c", want: "k/a/b/c/end"},
		{name: "rest of one", rules: []Rule{{Match: "t.{r...}", Topic: "{r...}"}}, key: "t.a", want: "a"},
		{name: "rest is escaped by level", rules: []Rule{{Match: "{r...}", Topic: "k/{r...}"}}, key: "a/b.+.#", want: "k/a%2Fb/%2B/%23"},
		{name: "rest with empty parts", rules: []Rule{{Match: "t.{r...}", Topic: "k/{r...}"}}, key: "t...", want: "k///"},
		{name: "anonymous rest", rules: []Rule{{Match: "t.{...}", Topic: "k"}}, key: "t.a.b", want: "k"},
		{name: "within a part", rules: []Rule{{Match: "line-{n}.x{a}-{b}y", Topic: "{n}/{a}/{b}"}}, key: "line-3.xp-q-ry", want: "3/p/q-r"},
		{name: "header", rules: []Rule{{Match: "t", Headers: map[string]string{"site": "{site}"}, Topic: "{site}"}}, key: "t", headers: []string{"site", "10.0.0.1"}, want: "10.0.0.1"},
		{name: "first rule wins", rules: []Rule{{Match: "a.{x}", Topic: "one/{x}"}, {Match: "{y}.{x}", Topic: "two/{y}/{x}"}}, key: "a.b", want: "one/b"},
		{name: "second rule", rules: []Rule{{Match: "a.{x}", Topic: "one/{x}"}, {Match: "{y}.{x}", Topic: "two/{y}/{x}"}}, key: "c.b", want: "two/c/b"},
		{name: "missing header goes on", rules: []Rule{
			{Match: "t", Headers: map[string]string{"site": "*"}, Topic: "one"}, {Match: "t", Topic: "two"}}, key: "t", want: "two"},
		{name: "other header value goes on", rules: []Rule{
			{Match: "t", Headers: map[string]string{"kind": "alarm"}, Topic: "one"}, {Match: "t", Topic: "two"}}, key: "t", headers: []string{"kind", "x"}, want: "two"},
		{name: "separator", edit: func(c *Config) { c.Separator = "/" }, rules: []Rule{{Match: "a/{b}", Topic: "{b}"}}, key: "a/x.y", want: "x.y"},
		{name: "escape dots", edit: func(c *Config) { c.EscapeDots = true }, rules: []Rule{{Match: "t", Headers: map[string]string{"h": "{h}"}, Topic: "{h}"}}, key: "t", headers: []string{"h", "a.b"}, want: "a%2Eb"},
		{name: "dollar at the start", rules: []Rule{{Match: "{a}.{b}", Topic: "{a}/{b}"}}, key: "$SYS.$x", want: "%24SYS/$x"},
		{name: "dollar at the start of a rest", rules: []Rule{{Match: "{a...}", Topic: "{a...}"}}, key: "$share.$x", want: "%24share/$x"},
		{name: "empty value", rules: []Rule{{Match: "t.{a}.{b}", Topic: "k/{a}/{b}"}}, key: "t..y", want: "k//y"},
		{name: "control characters", rules: []Rule{{Match: "{a}", Topic: "{a}"}}, key: "a\x00\n\x7f\u0085", want: "a%00%0A%7F%C2%85"},
		{name: "no UTF-8", rules: []Rule{{Match: "{a}", Topic: "{a}"}}, key: "ü\xff\xed\xa0\x80", want: "ü%FF%ED%A0%80"},
		{name: "non-characters", rules: []Rule{{Match: "{a}", Topic: "{a}"}}, key: "\uffff\ufdd0\ufffd", want: "%EF%BF%BF%EF%B7%90\ufffd"},
		{name: "percent", rules: []Rule{{Match: "{a}", Topic: "{a}"}}, key: "%2F", want: "%252F"},
		{name: "two values in a level", rules: []Rule{{Match: "{a}.{b}", Topic: "{a}-{b}.json"}}, key: "x-y.p-q", want: "x%2Dy-p-q.json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBridge(t, tt.edit, tt.rules...)
			for _, round := range []string{"matched", "remembered"} {
				m := keyed(tt.key, tt.headers...)
				got, err := b.Handle(m)
				if err != nil {
					t.Fatalf("%s: %v", round, err)
				}
				if len(got) != 1 || got[0] != m {
					t.Fatalf("%s: the message itself was not returned", round)
				}
				if feed.Topic(m) != tt.want {
					t.Errorf("%s: topic %q, want %q", round, feed.Topic(m), tt.want)
				}
				if string(m.Payload) != "payload" {
					t.Errorf("%s: payload %q changed", round, m.Payload)
				}
			}
		})
	}
}

func TestUnmatched(t *testing.T) {
	for _, key := range []string{"", "telemetry", "telemetry.a.b.c", "telemetry.a.b.c.d.e", "other.a.b.c.d", strings.Repeat(".", 10_000)} {
		m := keyed(key)
		before := maps.Clone(m.Metadata)
		_, err := newBridge(t, nil, telemetry).Handle(m)
		if !feed.IsPermanent(err) {
			t.Errorf("key %.20q: error %v is not permanent", key, err)
		} else if !strings.Contains(err.Error(), "no rule matches") || len(err.Error()) > 1500 {
			t.Errorf("key %.20q: error of %d bytes: %.100s", key, len(err.Error()), err)
		}
		if !maps.Equal(before, m.Metadata) {
			t.Errorf("key %.20q: metadata changed to %v", key, m.Metadata)
		}
		_, err = newBridge(t, func(c *Config) { c.Unmatched = UnmatchedFilter }, telemetry).Handle(m)
		if reason, ok := feed.FilterReason(err); !ok || reason != ReasonUnmatched {
			t.Errorf("key %.20q: error %v does not filter", key, err)
		}
	}
}

func TestNoMetadata(t *testing.T) {
	b := newBridge(t, nil, Rule{Match: "{a}", Topic: "k/{a}", Set: map[string]string{"x": "{a}y"}})
	m := &message.Message{}
	if _, err := b.Handle(m); err != nil || feed.Topic(m) != "k/" || m.Metadata["x"] != "y" {
		t.Errorf("error %v, metadata %v", err, m.Metadata)
	}
}

func TestTopicOutOfBounds(t *testing.T) {
	rule := Rule{Match: "t", Headers: map[string]string{"h": "{h}"}, Topic: "{h}"}
	b := newBridge(t, func(c *Config) { c.MaxTopicBytes = 100 }, rule)
	for value, problem := range map[string]string{
		"":                          "the topic is empty",
		strings.Repeat("x", 101):    "has 101 bytes, more than maxTopicBytes 100",
		strings.Repeat("x", 10_000): "has 10000 bytes",
		strings.Repeat("+", 34):     "has 102 bytes",
	} {
		m := keyed("t", "h", value)
		_, err := b.Handle(m)
		if !feed.IsPermanent(err) || !strings.Contains(err.Error(), problem) {
			t.Errorf("value of %d bytes: error %v, want %q", len(value), err, problem)
		}
		if err != nil && len(err.Error()) > 1500 {
			t.Errorf("value of %d bytes: error of %d bytes", len(value), len(err.Error()))
		}
		if feed.Topic(m) != "t" {
			t.Errorf("value of %d bytes: the topic changed to %q", len(value), feed.Topic(m))
		}
	}
	if _, err := b.Handle(keyed("t", "h", strings.Repeat("x", 100))); err != nil {
		t.Errorf("a topic of exactly the limit: %v", err)
	}
}

func TestSet(t *testing.T) {
	b := newBridge(t, nil, Rule{
		Match: "t.{a}.{r...}", Topic: "k/{a}/{r...}",
		Set: map[string]string{"fixed": "high", "raw": "<{a}>", "rest": "{r...}", "one": "{a}", "none": "", "content_type": "text/plain"},
	})
	for range 2 { // matched, remembered
		m := keyed("t.x/y.p.q", "none", "something", "kept", "yes")
		if _, err := b.Handle(m); err != nil {
			t.Fatal(err)
		}
		want := message.Metadata{"topic": "k/x%2Fy/p/q", "fixed": "high", "raw": "<x/y>", "rest": "p.q", "one": "x/y", "none": "", "content_type": "text/plain", "kept": "yes"}
		if !maps.Equal(m.Metadata, want) {
			t.Errorf("metadata %v, want %v", m.Metadata, want)
		}
	}
}

// A topic that a header decided must not be remembered for its routing key.
func TestHeadersAreNotRemembered(t *testing.T) {
	b := newBridge(t, nil,
		Rule{Match: "t.{a}", Headers: map[string]string{"kind": "{kind}"}, Topic: "{kind}/{a}"},
		Rule{Match: "t.{a}", Topic: "plain/{a}"})
	for _, step := range []struct{ kind, want string }{{"", "plain/x"}, {"alarm", "alarm/x"}, {"", "plain/x"}, {"event", "event/x"}} {
		m := keyed("t.x")
		if step.kind != "" {
			m.Metadata["kind"] = step.kind
		}
		if _, err := b.Handle(m); err != nil || feed.Topic(m) != step.want {
			t.Errorf("kind %q: topic %q, error %v, want %q", step.kind, feed.Topic(m), err, step.want)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	b := newBridge(t, func(c *Config) { c.CacheKeys = 10 }, telemetry)
	for i := range 1000 {
		for _, n := range []int{i, i / 2, 7} {
			m := keyed(fmt.Sprintf("telemetry.s.l.d.%d", n))
			want := fmt.Sprintf("kraft/s/l/d/%d", n)
			if _, err := b.Handle(m); err != nil || feed.Topic(m) != want {
				t.Fatalf("topic %q, error %v, want %q", feed.Topic(m), err, want)
			}
		}
		if n := len(b.cache.young) + len(b.cache.old); n > 10 {
			t.Fatalf("%d keys are remembered, more than 10", n)
		}
	}
	if b.cache.get("telemetry.s.l.d.7", nil) == nil {
		t.Error("a key in constant use was forgotten")
	}
}

func TestConcurrentUse(t *testing.T) {
	b := newBridge(t, func(c *Config) {
		c.CacheKeys = 16
		c.Tables = map[string]Table{"t": {Key: "k", Rows: []map[string]string{{"k": "1"}}}}
	}, Rule{Match: "telemetry.*.*.{d}.*", Where: `d in tables.t && payload.value == 2`, Drop: "x"}, telemetry)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				m := keyed(fmt.Sprintf("telemetry.s.l.%d.%d", g, i%40))
				m.Payload = []byte(`{"value":1}`)
				if _, err := b.Handle(m); err != nil || feed.Topic(m) != fmt.Sprintf("kraft/s/l/%d/%d", g, i%40) {
					t.Errorf("topic %q, error %v", feed.Topic(m), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestFactory(t *testing.T) {
	f := Factories()[0]
	c := f.NewConfig().(*Config)
	if _, err := f.Transform(c, feed.StageEnv{}); err == nil {
		t.Error("a bridge without rules was made")
	}
	c.Rules = []Rule{telemetry}
	transform, err := f.Transform(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	m := keyed("telemetry.s.l.d.t")
	if _, err := transform.Func(m); err != nil || feed.Topic(m) != "kraft/s/l/d/t" {
		t.Errorf("topic %q, error %v", feed.Topic(m), err)
	}
}
