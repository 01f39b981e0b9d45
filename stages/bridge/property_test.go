package bridge

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

// templates of two values that stand in every kind of place.
var twoValueTopics = []string{
	"{a}/{b}", "{b}/{a}", "k/{a}/{b}", "{a}-{b}", "{a}--{b}", "{a}2F{b}", "{a}F{b}", "x{a}${b}y", "{a}.{b}.json", "k{a}$/{b}",
	"{a}-{b}-{a}", "p/{a}~{b}/q", "{a} {b}",
}

// TestInjectiveExhaustively tries all pairs of short values over an alphabet
// made of what the encoding itself uses.
func TestInjectiveExhaustively(t *testing.T) {
	words := []string{""}
	for from := 0; len(words) < 1+7+49; {
		to := len(words)
		for _, w := range words[from:to] {
			for _, c := range []string{"/", "%", "2", "F", "-", "$", "\xff"} {
				words = append(words, w+c)
			}
		}
		from = to
	}
	for _, dots := range []bool{false, true} {
		for _, topic := range twoValueTopics {
			if dots && strings.Contains(topic, ".") {
				continue
			}
			n := newNames()
			for _, name := range []string{"a", "b"} {
				if _, err := n.add(name); err != nil {
					t.Fatal(err)
				}
			}
			pieces, err := parseTopic(topic, n, dots)
			if err != nil {
				t.Fatalf("%s: %v", topic, err)
			}
			seen := make(map[string][2]string, len(words)*len(words))
			var v values
			for _, a := range words {
				for _, b := range words {
					v[0], v[1] = a, b
					got := string(appendTopic(nil, pieces, &v, '.'))
					if other, ok := seen[got]; ok {
						t.Fatalf("%s: %q and %q both make %q", topic, other, [2]string{a, b}, got)
					}
					seen[got] = [2]string{a, b}
				}
			}
		}
	}
}

var drawValue = rapid.OneOf(
	rapid.String(),
	rapid.StringOfN(rapid.SampledFrom([]rune("/+#%$.-2F\x00\u0085\uffff é")), 0, 8, -1),
	rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }),
)

// TestInjective compares the topics of two tuples that come in over headers.
func TestInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topic := rapid.SampledFrom(twoValueTopics).Draw(t, "topic")
		c := DefaultConfig()
		c.Rules = []Rule{{Match: "t", Headers: map[string]string{"a": "{a}", "b": "{b}"}, Topic: topic}}
		b, err := NewBridge(c, feed.StageEnv{})
		if err != nil {
			t.Fatal(err)
		}
		var tuples, topics [2]string
		for i := range topics {
			va, vb := drawValue.Draw(t, "a"), drawValue.Draw(t, "b")
			m := keyed("t", "a", va, "b", vb)
			if _, err := b.Handle(m); err != nil {
				t.Skip(err) // too long
			}
			tuples[i], topics[i] = fmt.Sprintf("%q,%q", va, vb), feed.Topic(m)
			checkTopic(t, topics[i])
		}
		if (tuples[0] == tuples[1]) != (topics[0] == topics[1]) {
			t.Fatalf("tuples %s, topics %q", tuples, topics)
		}
	})
}

// TestReversible decodes what became of a routing key with any number of parts.
func TestReversible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := DefaultConfig()
		c.EscapeDots = rapid.Bool().Draw(t, "escapeDots")
		c.MaxTopicBytes = maxTopicBytes
		c.Rules = []Rule{{Match: "{first}.{rest...}", Topic: "{first}/k/{rest...}"}}
		b, err := NewBridge(c, feed.StageEnv{})
		if err != nil {
			t.Fatal(err)
		}
		routingKey := strings.Join(rapid.SliceOfN(drawValue, 2, 6).Draw(t, "parts"), ".")
		parts := strings.Split(routingKey, ".")
		m := keyed(routingKey)
		if _, err := b.Handle(m); err != nil {
			t.Fatal(err)
		}
		topic := feed.Topic(m)
		checkTopic(t, topic)
		levels := strings.Split(topic, "/")
		if len(levels) != len(parts)+1 || levels[1] != "k" {
			t.Fatalf("key %q: topic %q", routingKey, topic)
		}
		levels = append(levels[:1], levels[2:]...)
		for i := range parts {
			if got, err := url.PathUnescape(levels[i]); err != nil || got != parts[i] {
				t.Fatalf("level %q decodes to %q, error %v, want %q", levels[i], got, err, parts[i])
			}
		}
	})
}

// checkTopic fails unless topic may be published to.
func checkTopic(t interface{ Fatalf(string, ...any) }, topic string) {
	switch {
	case topic == "":
		t.Fatalf("the topic is empty")
	case topic[0] == '$':
		t.Fatalf("topic %q belongs to the broker", topic)
	case strings.ContainsAny(topic, "+#\x00"):
		t.Fatalf("topic %q holds what MQTT forbids", topic)
	case !utf8.ValidString(topic):
		t.Fatalf("topic %q is no UTF-8", topic)
	case strings.ContainsFunc(topic, func(r rune) bool {
		return r < ' ' || 0x7f <= r && r < 0xa0 || 0xfdd0 <= r && r <= 0xfdef || r&0xfffe == 0xfffe
	}):
		t.Fatalf("topic %q holds what Mosquitto refuses", topic)
	}
}

// TestIndexFindsTheFirstRule compares the index with trying every rule.
func TestIndexFindsTheFirstRule(t *testing.T) {
	part := rapid.SampledFrom([]string{"a", "b", "*", "x*", "a*b"})
	rapid.Check(t, func(t *rapid.T) {
		var rules []*rule
		for range rapid.IntRange(1, 12).Draw(t, "rules") {
			parts := rapid.SliceOfN(part, 0, 4).Draw(t, "parts")
			if len(parts) == 0 || rapid.Bool().Draw(t, "rest") {
				parts = append(parts, "{...}")
			}
			k, err := parseKey(strings.Join(parts, "."), '.', newNames())
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, &rule{key: k})
		}
		b := &Bridge{index: newIndex(rules), separator: '.'}
		for range 10 {
			parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "xy", "ab", "", "c"}), 1, 7).Draw(t, "key")
			routingKey := strings.Join(parts, ".")
			var want *rule
			for _, r := range rules {
				if r.key.match(routingKey, parts, new(values)) {
					want = r
					break
				}
			}
			if got, _, _, err := b.match(&question{key: routingKey}, 0, nil, new(values)); got != want || err != nil {
				t.Fatalf("key %q: the index found another rule than the first that matches", routingKey)
			}
		}
	})
}

// TestShadowedNeverMatch checks that what is called shadowed is.
func TestShadowedNeverMatch(t *testing.T) {
	part := rapid.SampledFrom([]string{"a", "b", "*", "x*", "a*b"})
	rapid.Check(t, func(t *rapid.T) {
		draw := func() *rule {
			parts := rapid.SliceOfN(part, 1, 3).Draw(t, "parts")
			if rapid.Bool().Draw(t, "rest") {
				parts = append(parts, "{...}")
			}
			k, err := parseKey(strings.Join(parts, "."), '.', newNames())
			if err != nil {
				t.Fatal(err)
			}
			return &rule{key: k}
		}
		first, second := draw(), draw()
		if !first.covers(second) {
			return
		}
		for range 20 {
			parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "xy", "ab", ""}), 1, 5).Draw(t, "key")
			s := strings.Join(parts, ".")
			if second.key.match(s, parts, new(values)) && !first.key.match(s, parts, new(values)) {
				t.Fatalf("key %q: %+v does not cover %+v", s, first.key, second.key)
			}
		}
	})
}

func FuzzRule(f *testing.F) {
	f.Add("telemetry.{site}.{line}", "kraft/{site}/{line}", "{h}-x", "telemetry.a.b", "v-x")
	f.Add("a.{r...}", "{r...}/x", "*", "a.b.c", "")
	f.Add("*.l-{n}x", "{n}$", "{", "q.l-7x", "\xff")
	f.Fuzz(func(t *testing.T, match, topic, headerPattern, routingKey, value string) {
		c := DefaultConfig()
		c.MaxTopicBytes = maxTopicBytes
		c.Rules = []Rule{{Match: match, Headers: map[string]string{"h": headerPattern}, Topic: topic}}
		b, err := NewBridge(c, feed.StageEnv{})
		if err != nil {
			return
		}
		m := &message.Message{Metadata: message.Metadata{feed.MetaTopic: routingKey, "h": value}}
		if _, err := b.Handle(m); err != nil {
			if !feed.IsPermanent(err) || feed.Topic(m) != routingKey {
				t.Fatalf("error %v, topic %q", err, feed.Topic(m))
			}
			return
		}
		if got := feed.Topic(m); !strings.HasPrefix(topic, "$") && !strings.HasPrefix(got, "$") {
			checkTopic(t, got)
		}
	})
}
