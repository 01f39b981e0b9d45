package reading_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/reading"
)

func TestRoutingKey(t *testing.T) {
	long := strings.Repeat("x", reading.MaxName)
	for _, tt := range []struct {
		name string
		r    reading.Reading
		want string
	}{
		{"plain", reading.Reading{Site: "plant1", Line: "line2", Device: "press7", Tag: "oil_temp-1"}, "telemetry.plant1.line2.press7.oil_temp-1"},
		{"nothing", reading.Reading{Line: "-", Device: "d", Tag: "t"}, "telemetry.-.%2D.d.t"},
		{"what separates and matches", reading.Reading{Site: "a.b", Line: "*", Device: "press 7/#", Tag: "+%~"}, "telemetry.a%2Eb.%2A.press 7%2F%23.%2B%25%7E"},
		{"what MQTT forbids", reading.Reading{Site: "\x00\x7f", Line: "\u0085", Device: "\ufdd0", Tag: "\xff\U0001ffff"}, "telemetry.%00%7F.%C2%85.%EF%B7%90.%FF%F0%9F%BF%BF"},
		{"other languages", reading.Reading{Site: "Werk Düsseldorf", Line: "生产线1", Device: "ns=2;s=Presse", Tag: "Öldruck\ufffd"}, "telemetry.Werk Düsseldorf.生产线1.ns=2;s=Presse.Öldruck\ufffd"},
		{"255 bytes", reading.Reading{Site: long, Line: "l", Device: strings.Repeat("y", 112), Tag: "t"}, "telemetry." + long + ".l." + strings.Repeat("y", 112) + ".t"},
		{"256 bytes", reading.Reading{Site: long, Line: "l", Device: strings.Repeat("y", 113), Tag: "t"},
			"telemetry." + long[:43] + "~24da1b81d0b16df6.l." + strings.Repeat("y", 43) + "~c69449a183af0484.t"},
		{"names of letters that take three bytes", reading.Reading{Site: "s", Line: "l", Device: strings.Repeat("生", 42), Tag: strings.Repeat("产", 42)},
			"telemetry.s.l." + strings.Repeat("生", 14) + "~d46ef20df2d22d31." + strings.Repeat("产", 14) + "~23c028fdd53c4bc8"},
		{"escapes that would be cut", reading.Reading{Line: strings.Repeat(".", 80), Device: "x" + strings.Repeat(".", 80), Tag: "xx" + strings.Repeat(".", 80)},
			"telemetry.-." + strings.Repeat("%2E", 14) + "~3d9095bacf62c6ad.x" + strings.Repeat("%2E", 14) + "~92f92c30e8486fca.xx" + strings.Repeat("%2E", 13) + "~075315342b6c2879"},
	} {
		got := string(tt.r.AppendRoutingKey([]byte("before "))[len("before "):])
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestAnyRoutingKey: whatever the names are, four words follow the first, AMQP can
// carry the key, and other names make another. What is not shortened can be read
// back.
func TestAnyRoutingKey(t *testing.T) {
	name := func(least int) *rapid.Generator[string] {
		return rapid.OneOf(
			rapid.StringOfN(rapid.RuneFrom([]rune("ab.-~%#生\x00")), least, 5, -1),
			rapid.StringN(least, -1, reading.MaxName),
			rapid.StringOfN(rapid.RuneFrom([]rune("a%生ü😀.")), 0, -1, reading.MaxName),
		)
	}
	draw := rapid.Custom(func(t *rapid.T) [4]string {
		return [4]string{name(0).Draw(t, "site"), name(0).Draw(t, "line"), name(1).Draw(t, "device"), name(1).Draw(t, "tag")}
	})
	keyOf := func(names [4]string) string {
		r := reading.Reading{Site: names[0], Line: names[1], Device: names[2], Tag: names[3]}
		return string(r.AppendRoutingKey(nil))
	}
	rapid.Check(t, func(t *rapid.T) {
		names, others := draw.Draw(t, "names"), draw.Draw(t, "others")
		key := keyOf(names)
		words := strings.Split(key, ".")
		if len(words) != 5 || len(key) > 255 || !utf8.ValidString(key) || strings.ContainsAny(key, "*#+/\x00") {
			t.Fatalf("routing key %q of %d bytes", key, len(key))
		}
		if (key == keyOf(others)) != (names == others) {
			t.Fatalf("%q and %q both have the key %q", names, others, key)
		}
		for i, word := range words[1:] {
			if word == "-" && names[i] == "" {
				continue
			}
			beginning, _, cut := strings.Cut(word, "~")
			back, err := url.PathUnescape(beginning)
			if err != nil || !strings.HasPrefix(names[i], back) || !cut && back != names[i] {
				t.Fatalf("%q of %q is read back as %q, %v", word, names[i], back, err)
			}
		}
	})
}
