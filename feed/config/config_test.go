package config_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// environment is what ${NAME} finds in the tests.
func environment(name string) (string, bool) {
	env := map[string]string{
		"AMQP_URL": "amqp://user:canary-secret@broker:5672/plant", "TOKEN": "canary-secret", "QUEUE": "telemetry",
		"PREFETCH": "500", "EMPTY": "", "SECRET_NUMBER": "canary-secret",
	}
	v, ok := env[name]
	return v, ok
}

// TestErrorTexts compares what Parse says about each file in testdata/bad with
// the golden text beside it. No text may hold a secret.
func TestErrorTexts(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Parse("feed.yaml", data, registry(t, nil), environment)
			var all *config.Error
			if !errors.As(err, &all) {
				t.Fatalf("Parse returned %+v, %v; want a *config.Error", c, err)
			}
			got := err.Error() + "\n"
			if strings.Contains(got, "canary") {
				t.Errorf("the text shows a secret:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

const good = `
name: line-1
quarantine: {path: /var/lib/feed/quarantine.db, maxBytes: 2GiB}
admin: {address: ":8080", expose: [metrics]}
log: {format: json, level: warn}
drainTimeout: 5s
routes:
  telemetry:
    source:
      queue: &queue
        url: ${AMQP_URL}
        password: "Bearer ${TOKEN}"
        queue: "${QUEUE}-${NO_SUCH:-a}$$1"
        prefetch: ${PREFETCH}
        mode: stream
        maxLength: 10
        headers: {a.b: no, c: 0x10}
        bindings: [a, "b"]
        offset: 7
        label: null-ish
        tls: {caFile: ca.pem}
    transforms:
      - bridge: {rules: [{match: a, topic: b}]}
    sink:
      all:
        - place:
        - log: {lossy: false}
    order: key
    orderKey: "{site}/{device}"
    batch: {maxMessages: 50, maxBytes: 1MiB, maxDelay: 1m}
    retry: {initialDelay: 1s}
    park: {perKey: 7}
  second:
    source: {queue: {<<: *queue, queue: other, prefetch: 10}}
    sink: {log: {}}
    allowLoss: true
`

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("feed.yaml", []byte(text), registry(t, nil), environment)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParse(t *testing.T) {
	c := parse(t, good)
	if c.Name != "line-1" || c.DrainTimeout != 5*time.Second || c.Log != (config.Log{Format: "json", Level: "warn"}) {
		t.Errorf("got %+v", c)
	}
	if q := c.Quarantine; q.Path != "/var/lib/feed/quarantine.db" || q.MaxBytes != 2*feed.GiB || q.MaxMessages != 1_000_000 {
		t.Errorf("quarantine: got %+v", q)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
	r := c.Routes[0]
	q := r.Source.Config.(*queueConfig)
	offset := 7
	password, err := q.Password.Reveal()
	if err != nil || password != "Bearer canary-secret" {
		t.Errorf("password %q, %v", password, err)
	}
	if u, err := q.URL.Reveal(); err != nil || !strings.HasPrefix(u, "amqp://user:") {
		t.Errorf("url %q, %v", u, err)
	}
	got := *q
	got.URL, got.Password = feed.URL{}, feed.Secret{}
	want := queueConfig{
		Queue: "telemetry-a$1", Prefetch: 500, AckLimit: 30 * time.Minute, MaxLength: 10, Mode: "stream", Offset: &offset,
		Headers: map[string]string{"a.b": "no", "c": "0x10"}, Bindings: []string{"a", "b"}, TLS: tlsConfig{CAFile: "ca.pem"}, Embedded: common{Label: "null-ish"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("source:\ngot  %+v\nwant %+v", got, want)
	}
	if r.Order != feed.OrderKey || r.Batch != (feed.BatchLimits{MaxMessages: 50, MaxBytes: feed.MiB, MaxDelay: time.Minute}) ||
		r.Retry.InitialDelay != time.Second || r.Retry.MaxDelay != 10*time.Second || r.Park != (feed.ParkLimits{PerKey: 7, PerRoute: 1000}) {
		t.Errorf("route: got %+v", r)
	}
	second := c.Routes[1].Source.Config.(*queueConfig)
	if second.Queue != "other" || second.Prefetch != 10 || second.Mode != "stream" {
		t.Errorf("merged source: got %+v", second)
	}
	if c.Routes[1].Batch.MaxMessages != 10 {
		t.Errorf("a batch of %d messages for a window of 10", c.Routes[1].Batch.MaxMessages)
	}
}

func TestOTLP(t *testing.T) {
	const routes = "\nroutes: {a: {source: {queue: {queue: q}}, sink: {place: {}}}}\nquarantine: {path: q.db}\n"
	if o := parse(t, routes).OTLP; !o.Off() || o.Traces.Ratio != 0.01 || o.Metrics.Interval != 0 {
		t.Errorf("by default: %+v", o)
	}
	if o := parse(t, `otlp: {endpoint: "${EMPTY:-}"}`+routes).OTLP; !o.Off() {
		t.Errorf("of a variable that is empty: %+v", o)
	}
	c := parse(t, `otlp: {endpoint: "http://collector:4318", headers: {authorization: "Bearer ${TOKEN}"}, traces: {ratio: 0}, metrics: {interval: 1m}}`+routes)
	value, err := c.OTLP.Headers["authorization"].Reveal()
	if err != nil || value != "Bearer canary-secret" || c.OTLP.Off() || c.OTLP.Traces.Ratio != 0 || c.OTLP.Metrics.Interval != time.Minute {
		t.Errorf("%q, %v, %+v", value, err, c.OTLP)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].String(), "otlp.headers: they are sent without TLS") {
		t.Errorf("%v", c.Warnings)
	}
}

func TestWarnings(t *testing.T) {
	dir := t.TempDir()
	open, closed := filepath.Join(dir, "open"), filepath.Join(dir, "closed")
	for path, perm := range map[string]os.FileMode{open: 0o644, closed: 0o600} {
		if err := os.WriteFile(path, []byte("canary-secret\n"), perm); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, perm); err != nil {
			t.Fatal(err)
		}
	}
	c := parse(t, `routes:
  a:
    source: {queue: {queue: q, password: "${file:`+open+`}", url: "amqp://u:canary-secret@h/"}}
    sink: {place: {token: "${file:`+closed+`}"}}
  b:
    source: {queue: {queue: q, url: "amqp://u:${file:`+closed+`}@h/"}}
    sink: {place: {}}
`)
	var b strings.Builder
	for _, w := range c.Warnings {
		b.WriteString(w.String() + "\n")
	}
	want := "feed.yaml:1:1: quarantine: there is none: the first message that can never be delivered pauses its route (write quarantine: {path: …})\n" +
		"feed.yaml:3:42: routes.a.source.queue.password: " + open + " can be read by every user (mode 0644) (make it readable for the feed's user only)\n" +
		"feed.yaml:3:" + strconv.Itoa(42+len(open)+17) + ": routes.a.source.queue.url: the URL holds a password (write the whole URL as ${NAME}, or the password as ${file:/path})\n" +
		"feed.yaml:5:3: routes.b: reads queue/q as route a does: each of them gets a part of the messages (give each route a queue of its own, or list the sinks of one route under all:)\n"
	if got := b.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	token, err := c.Routes[0].Sink[0].Config.(*placeConfig).Token.Reveal()
	if err != nil || token != "canary-secret" {
		t.Errorf("token %q, %v", token, err)
	}
}

// TestBounds parses files that are small and mean something huge.
func TestBounds(t *testing.T) {
	merges := "name: x\nroutes:\n"
	for i := range 40 {
		merges += fmt.Sprintf("  r%d: &r%d\n    sink: {place: {}}\n", i, i)
		if i > 0 {
			merges += fmt.Sprintf("    <<: [%s]\n", strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*r%d, ", i-1), 30), ", "))
		}
	}
	for name, text := range map[string]string{
		"merges":   merges,
		"list":     "routes: {a: {source: {queue: {bindings: [" + strings.Repeat("a, ", 100_000) + "]}}}}",
		"problems": "routes: {a: {source: {queue: {headers: {" + strings.Repeat("a: [], ", 40_000) + "}}}}}",
		"deep":     strings.Repeat("[", 9000),
		"deeper":   strings.Repeat("a: {", 9000),
		"large":    strings.Repeat("#", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			started := time.Now()
			_, err := config.Parse("feed.yaml", []byte(text), registry(t, nil), environment)
			if err == nil {
				t.Error("no error")
			} else if n := len(err.Error()); n > 50_000 {
				t.Errorf("an error text of %d bytes", n)
			}
			if d := time.Since(started); d > 30*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"), registry(t, nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestLoadSettings reads a file whose stages and secrets are not there.
func TestLoadSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "feed.yaml")
	text := "quarantine: {path: q.db}\nroutes: {a: {source: {unknown: {password: \"${NO_SUCH_VARIABLE}\"}}}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadSettings(file)
	if err != nil || c.Quarantine.Path != "q.db" || c.Admin.Address != "127.0.0.1:8686" || len(c.Routes) != 0 {
		t.Errorf("got %+v, %v", c, err)
	}
}
