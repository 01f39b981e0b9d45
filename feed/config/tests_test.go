package config_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// tested is a file whose sources and sinks need what is not there.
const tested = `
name: ${NO_SUCH_NAME}
quarantine: {postgres: {url: "${NO_SUCH_URL}"}}
routes:
  a:
    source: {queue: {url: "${NO_SUCH_URL}", queue: q, password: "${NO_SUCH_SECRET}"}}
    transforms: [bridge: {rules: [{match: a, topic: b}]}]
    sink: {all: [place: {token: "${NO_SUCH_SECRET}"}, log: {}]}
tests:
  - name: all forms
    given:
      - id: m1
        topic: t
        metadata: {site: 7}
        payload: {z: 1.50, a: [0x10, 1_000, .5, -2e3, true, null, "ü<&>", 2026-03-01], empty: {}, none: []}
      - {text: "a\n"}
      - {base64: AAH/}
      - {}
    expect:
      - {topic: t, payload: plain}
      - filtered: ""
      - quarantined: why
      - retried: soon
`

func TestLoadTests(t *testing.T) {
	file := filepath.Join(t.TempDir(), "feed.yaml")
	if err := os.WriteFile(file, []byte(tested), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadTests(file, registry(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Tests) != 1 || c.Tests[0].At != (config.Position{Line: 10, Column: 5}) || c.RouteOf(&c.Tests[0]).Name != "a" {
		t.Fatalf("got %+v", c.Tests)
	}
	test := c.Tests[0]
	want := []string{`{"z":1.50,"a":[16,1000,0.5,-2e3,true,null,"ü<&>","2026-03-01"],"empty":{},"none":[]}`, "a\n", "\x00\x01\xff", ""}
	for i := range test.Given {
		if m := test.Given[i].Message(); string(m.Payload) != want[i] {
			t.Errorf("message %d has the payload %q, want %q", i, m.Payload, want[i])
		}
	}
	if m := test.Given[0].Message(); m.UUID != "m1" || feed.Topic(m) != "t" || m.Metadata["site"] != "7" {
		t.Errorf("got %s %v", m.UUID, m.Metadata)
	}
	if payload, _ := test.Expect[0].Bytes(); string(payload) != `"plain"` {
		t.Errorf("got %s", payload)
	}
	if test.Expect[1].Filtered == nil || *test.Expect[2].Quarantined != "why" || *test.Expect[3].Retried != "soon" {
		t.Errorf("got %+v", test.Expect)
	}
	transforms, err := c.Transforms(c.Routes[0], slog.New(slog.DiscardHandler))
	if err != nil || len(transforms) != 1 || transforms[0].Name != "bridge" {
		t.Errorf("transforms %+v, error %v", transforms, err)
	}
}

func TestQuarantine(t *testing.T) {
	c := parse(t, `
name: line-1
quarantine: {postgres: {url: "postgres://u:${TOKEN}@db/feed", table: poison}, maxBytes: 2GiB, retention: {maxAge: 720h, maxBytes: 1GiB}}
routes: {a: {source: {queue: {queue: q}}, sink: {place: {}}}}
tests: [{name: x, given: [{topic: a}], expect: [{topic: a}]}]
`)
	q := c.Quarantine
	if q.Off() || q.Postgres.Table != "poison" || q.Retention != (config.Retention{MaxAge: 720 * time.Hour, MaxBytes: feed.GiB}) || len(c.Warnings) != 0 {
		t.Errorf("got %+v, warnings %v", q, c.Warnings)
	}
	if q := parse(t, `routes: {a: {source: {queue: {queue: q}}, sink: {place: {}}}}`).Quarantine; !q.Off() || q.Postgres.Table != "quarantine" {
		t.Errorf("got %+v", q)
	}
	const both = `quarantine: {path: q.db, retention: {maxAge: 24h}}
routes: {a: {source: {queue: {queue: q}}, sink: {place: {}}}}
tests:
  - {name: x, route: a, given: [{topic: a, payload: {a: [1, null]}}, {text: a}, {base64: AA==}], expect: [{topic: a, payload: 5}, {filtered: a}, {quarantined: b}, {retried: c}]}
`
	parse(t, both)
	if err := compileSchema(t).Validate(asJSON(t, both)); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{"tests: [{title: x}]", "tests: [{name: x, given: [{tpoic: x}]}]", "quarantine: {postgres: {tabel: x}}", "quarantine: {retention: {maxAge: soon}}"} {
		text := "routes: {a: {source: {queue: {queue: q}}, sink: {place: {}}}}\n" + wrong
		if compileSchema(t).Validate(asJSON(t, text)) == nil {
			t.Errorf("%s passes the schema", wrong)
		}
	}
}
