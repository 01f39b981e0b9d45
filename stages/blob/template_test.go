package blob

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

func rendererOf(t testing.TB, text string) *renderer {
	t.Helper()
	tmpl, err := parseTemplate(text)
	if err != nil {
		t.Fatalf("parse %q: %v", text, err)
	}
	return &renderer{template: tmpl, route: "archive", feed: "plant"}
}

func TestParseTemplateRefuses(t *testing.T) {
	for text, reason := range map[string]string{
		"":                       "is empty",
		"/a":                     "empty segment",
		"a/":                     "", // a hash is appended
		"a/{hash}/":              "empty segment",
		"a//b":                   "empty segment",
		"{":                      "no closing brace",
		"{nope}":                 "has no part {nope}",
		"{meta.}":                "has no part {meta.}",
		"..":                     "begins with a dot",
		"../{hash}":              "begins with a dot",
		".incoming/{hash}":       "begins with a dot",
		"a./{hash}":              "ends with a dot",
		"a b":                    `has " "`,
		"a%2F":                   `has "%"`,
		`a\b`:                    `has "\\"`,
		"a}b":                    `has "}"`,
		"a\x00":                  `has "\x00"`,
		"{meta.a}{meta.b}":       "run together",
		"{meta.a}x{meta.b}":      "run together",
		"{meta.a}{hash}{meta.b}": "run together",
		strings.Repeat("a", 513): "longer",
		strings.Repeat("a/", 40): "segments",
		strings.Repeat("a", 250): "more than 240 bytes",
		"{meta.a}-{meta.b}-{meta.c}-{meta.d}-{meta.e}": "too many values",
	} {
		tmpl, err := parseTemplate(text)
		if reason == "" {
			if err != nil {
				t.Errorf("parse %q: %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("parse %q: %v (%v), want %q", text, err, tmpl, reason)
		}
	}
}

func TestRender(t *testing.T) {
	m := msg(`1`, "topic", "a/b", "time", "2026-01-02T03:04:05Z", "site", "north-1", "line", "l.7", "empty", "")
	for text, want := range map[string]string{
		"{date}/{hour}/{route}-{hash}":         "2026-01-02/03/archive-#",
		"{year}/{month}/{day}/{hour}/{minute}": "2026/01/02/03/04-#",
		"{feed}/{topic}/x":                     "plant/a%2Fb/x-#",
		"site={meta.site}/{meta.line}_{hash}":  "site=north-1/l.7_#",
		"{meta.site}-{meta.line}":              "north%2D1-l.7-#",
		"{meta.line}.{meta.site}/{hash}":       "l%2E7.north-1/#",
		"{meta.empty}/{meta.none}/{hash}":      "%empty/%missing/#",
		"{hash}/{route}":                       "#/archive",
	} {
		got := strings.ReplaceAll(string(rendererOf(t, text).render(m, "", received)), "\x00", "#")
		if got != want {
			t.Errorf("%q renders %q, want %q", text, got, want)
		}
	}
}

func TestMinuteOf(t *testing.T) {
	const fallback = "2026-11-21T03:40"
	for text, want := range map[string]string{
		"2026-01-02T03:04:05Z":                "2026-01-02T03:04",
		"2026-01-02T03:04:05.123456789+02:00": "2026-01-02T01:04",
		"0000-01-01T00:30:00+01:00":           fallback, // the year -1 in UTC
		"9999-12-31T23:30:00-01:00":           fallback,
		"2026-01-02":                          fallback,
		"":                                    fallback,
	} {
		r := rendererOf(t, "{date}T{hour}_{minute}/{hash}")
		got := strings.Replace(string(r.render(msg(`1`, "time", text), "", received)), "_", ":", 1)
		if got != want+"/\x00" {
			t.Errorf("time %q is %s, want %s", text, got, want)
		}
	}
	r := rendererOf(t, "{hour}/{hash}")
	if got := r.render(msg(`1`), "", received.In(time.FixedZone("", 7200))); string(got) != "03/\x00" {
		t.Errorf("time of receipt is %s, want it in UTC", got)
	}
}

// What is remembered of the last message never changes the path of the next.
func TestRenderRemembersNothing(t *testing.T) {
	times := []string{
		"2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z", "2026-01-02T03:04:06.5Z", "2026-01-02T03:04:06.Z", "2026-01-02T03:04:66Z",
		"2026-01-02T03:04:0Z", "2026-01-02T03:04:5aZ", "2026-01-02T03:04:59,5Z", "2026-01-02T03:04:59.5+01:00", "2026-01-02T03:04:59.5aZ",
		"2026-01-02T03:04:060Z", "2026-02-30T03:04:05Z", "2026-02-30T03:04:06Z", "2026-01-02T03:05:05Z", "x", "", "-",
		"2026-01-02T03:04:05+01:00", "2026-01-02T03:04:06+01:00", "2026-01-02T03:04:05z",
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SampledFrom([]string{"{date}/{hour}{minute}/{route}", "{date}/{hour}/{meta.a}", "{meta.a}/{minute}", "{route}"}).Draw(rt, "template")
		kept := rendererOf(t, text)
		for range rapid.IntRange(1, 8).Draw(rt, "messages") {
			m := msg(`1`, "a", rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "a"))
			if at := rapid.SampledFrom(times).Draw(rt, "time"); at != "-" {
				m.Metadata.Set("time", at)
			}
			at := received.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "received")) * time.Minute)
			want := string(rendererOf(t, text).render(m, "", at))
			if got := string(kept.render(m, "", at)); got != want {
				t.Fatalf("%v renders %q after others, %q alone", m.Metadata, got, want)
			}
		}
	})
}

// awkward draws values that try to break paths.
func awkward() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", ".", "..", "/", "../..", "a/b", "%empty", "%missing", "%2F", "a-b", "-", "--", ".a", "a.", "\x00", "\\", "~", "%~", "CON", "é", "\xff\xfe", "\n",
			strings.Repeat("a", 500), strings.Repeat("a", 501), strings.Repeat("/", 10000), strings.Repeat("é", 300)}),
		rapid.StringMatching(`[a.\-_/%~\\]{0,6}`),
		rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
}

var propertyTemplates = []string{
	"{date}/{hour}/{meta.a}-{meta.b}/{meta.c}",
	"out/{meta.a}/{meta.b}_{meta.c}-{hash}",
	"{meta.a}.{meta.b}/{topic}={meta.c}",
	"x{meta.a}/y{meta.b}y/{meta.c}{hash}{minute}",
}

// No metadata leads out of the prefix, and different metadata never makes the
// same path.
func TestRenderStaysInPlaceAndIsInjective(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SampledFrom(propertyTemplates).Draw(rt, "template")
		r := rendererOf(t, text)
		draw := func(label string) (*message.Message, string) {
			m := msg(`1`)
			var id []string
			for _, k := range []string{"a", "b", "c", "topic"} {
				if !strings.Contains(text, "."+k+"}") && !strings.Contains(text, "{"+k+"}") {
					continue
				}
				if rapid.Bool().Draw(rt, label+k+" there") {
					v := awkward().Draw(rt, label+k)
					m.Metadata.Set(k, v)
					id = append(id, fmt.Sprintf("%q", v))
				} else {
					id = append(id, "-")
				}
			}
			return m, strings.Join(id, " ")
		}
		m1, id1 := draw("1")
		m2, id2 := draw("2")
		p1 := string(r.render(m1, "", received))
		p2 := string(r.render(m2, "", received)) // uses p1's buffer
		if (p1 == p2) != (id1 == id2) {
			t.Fatalf("%s and %s make %q and %q", id1, id2, p1, p2)
		}
		checkName(t, r.template, nameOf(p1, strings.Repeat("f", hashLen), ".ndjson.zst"))
	})
}

func checkName(t *testing.T, tmpl *template, name string) {
	t.Helper()
	if len(name) > 1024 || !utf8.ValidString(name) || path.Clean(name) != name || strings.HasPrefix(name, "/") {
		t.Fatalf("bad name %q", name)
	}
	segments := strings.Split(name, "/")
	slashes := 0
	for _, p := range tmpl.parts {
		if p.kind == partLiteral && p.text == "/" {
			slashes++
		}
	}
	if len(segments) != slashes+1 {
		t.Fatalf("name %q has %d segments, want %d", name, len(segments), slashes+1)
	}
	for _, s := range segments {
		if s == "" || s[0] == '.' || s[len(s)-1] == '.' || len(s) > 255 || strings.ContainsAny(s, "\\\x00\n ?#") {
			t.Fatalf("name %q has the segment %q", name, s)
		}
	}
	if _, err := newDirectory("/x").file(name); err != nil {
		t.Fatalf("name %q: %v", name, err)
	}
}

// Values that differ only beyond the cut keep apart.
func TestEscapeCutsKeepApart(t *testing.T) {
	seen := map[string]string{}
	for _, long := range []string{strings.Repeat("a", 200), strings.Repeat("/", 200), strings.Repeat("é", 100)} {
		for _, end := range []string{"", "a", "b", "/", ".", "\x00"} {
			got := string(appendEscaped(nil, long+end, '-', 64))
			if other, ok := seen[got]; ok {
				t.Errorf("%q and %q both become %q", long+end, other, got)
			}
			if len(got) > 64 || !strings.HasPrefix(got, string(appendEscaped(nil, long[:2], '-', 64))) {
				t.Errorf("%q becomes %q", long+end, got)
			}
			seen[got] = long + end
		}
	}
}

func TestEscapeIsReversible(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := awkward().Draw(rt, "value")
		got := string(appendEscaped(nil, v, '-', 1<<20))
		back, err := url.PathUnescape(got)
		if v == "" {
			back, err = "", nil
		}
		if err != nil || back != v {
			t.Fatalf("%q becomes %q, and back %q (%v)", v, got, back, err)
		}
		if short := appendEscaped(nil, v, '-', minValueLimit); len(short) > minValueLimit {
			t.Fatalf("%q becomes %d bytes", v, len(short))
		}
	})
}

func FuzzParseTemplate(f *testing.F) {
	for _, s := range append(propertyTemplates, "{date}/{hour}/{route}-{hash}", "{}", "}{", "{meta.{}", "a/./b", "{hash}{hash}") {
		f.Add(s, "value/../x")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		tmpl, err := parseTemplate(text)
		if err != nil {
			return
		}
		r := &renderer{template: tmpl, route: value, feed: value}
		m := msg(`1`, "topic", value)
		for _, p := range tmpl.parts {
			if p.kind == partMeta {
				m.Metadata.Set(p.text, value)
			}
		}
		checkName(t, tmpl, nameOf(string(r.render(m, "", received)), strings.Repeat("0", hashLen), ".ndjson.zst"))
	})
}

func TestConfigValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		key    string
	}{
		"nothing to write to": {func(c *Config) { c.URL = feed.URL{} }, "url"},
		"two places":          {func(c *Config) { c.ConnectionString = feed.NewSecret("x"); c.Container = "abc" }, "connectionString"},
		"no container":        {func(c *Config) { c.URL = feed.URL{}; c.ConnectionString = feed.NewSecret("x") }, "container"},
		"bad container":       {func(c *Config) { c.Container = "Abc" }, "container"},
		"bad path":            {func(c *Config) { c.Path = "../x" }, "path"},
		"extension":           {func(c *Config) { c.Path = "{hash}.ndjson" }, "path"},
		"compression":         {func(c *Config) { c.Compression = "lzma" }, "compression"},
		"envelope":            {func(c *Config) { c.Envelope = "" }, "envelope"},
		"identity":            {func(c *Config) { c.Azure.Identity = "me" }, "azure.identity"},
		"object size":         {func(c *Config) { c.MaxObjectBytes = 2 * feed.GiB }, "maxObjectBytes"},
		"block size":          {func(c *Config) { c.BlockBytes = 1 }, "blockBytes"},
		"parallel":            {func(c *Config) { c.Parallel = 0 }, "parallel"},
		"timeout":             {func(c *Config) { c.TryTimeout = 0 }, "tryTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := dirConfig("/x")
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			c.change(&cfg)
			var ce *feed.ConfigError
			if err := cfg.Validate(); !errors.As(err, &ce) || ce.Key != c.key {
				t.Errorf("err = %v, want one of %s", err, c.key)
			}
		})
	}
}

func TestConfigPlace(t *testing.T) {
	for text, want := range map[string]string{
		"file:///var/lib/feed/out": "file:///var/lib/feed/out",
		"file://var/lib":           "",
		"file:out":                 "",
		"https://a.blob.core.windows.net/telemetry?sv=1&sig=SECRET": "https://a.blob.core.windows.net/telemetry",
		"http://127.0.0.1:10000/devstoreaccount1/telemetry/":        "http://127.0.0.1:10000/devstoreaccount1/telemetry",
		"https://a.blob.core.windows.net":                           "",
		"https://a.blob.core.windows.net/":                          "",
		"https://u:SECRET@a.blob.core.windows.net/telemetry":        "",
		"s3://bucket": "",
	} {
		cfg := DefaultConfig()
		cfg.URL = feed.NewURL(text)
		got := strings.Join(cfg.Writes(), " ")
		if got != want {
			t.Errorf("%s writes to %q, want %q", text, got, want)
		}
		if want == "" {
			if err := cfg.Validate(); err == nil || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%s: err = %v", text, err)
			}
		}
	}
	cfg := DefaultConfig()
	cfg.ConnectionString = feed.NewSecret("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=SECRET==;EndpointSuffix=core.windows.net")
	cfg.Container = "telemetry"
	if got := cfg.Writes(); len(got) != 1 || got[0] != "https://a.blob.core.windows.net/telemetry" {
		t.Errorf("writes to %v", got)
	}
}
