package config_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// remoteConfig takes its settings as a document.
type remoteConfig struct{ object string }

func (c *remoteConfig) SetDocument(object []byte) { c.object = string(object) }
func (c *remoteConfig) Keys() []config.Key        { return []config.Key{{Name: "unit", Type: "text"}} }
func (c *remoteConfig) Schema() []byte {
	return []byte(`{"type":"object","properties":{"unit":{"$ref":"#/$defs/unit"}},"$defs":{"unit":{"type":"string"}}}`)
}

func (c *remoteConfig) Validate() error {
	if strings.Contains(c.object, "wrong") {
		return &feed.ConfigError{Key: "unit", At: 2, Problem: "is wrong", Remedy: "write bar"}
	}
	return nil
}

// A stage that takes a document gets what stands in the file, with references
// expanded.
func TestDocument(t *testing.T) {
	c := parse(t, `
quarantine: {path: q.db}
routes:
  a:
    source: {queue: {queue: a}}
    transforms:
      - remote:
      - remote: {unit: bar, port: "${PORT:-8080}", dollar: "$$5", many: [1, 2.50, true, null, "x\"y"], deep: {a: {b: c}}}
    sink: {place: {}}
`)
	var got []string
	for _, s := range c.Routes[0].Transforms {
		got = append(got, s.Config.(*remoteConfig).object)
	}
	want := []string{`{}`, `{"unit":"bar","port":"8080","dollar":"$5","many":[1,2.50,true,null,"x\"y"],"deep":{"a":{"b":"c"}}}`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	f, _ := registry(t, nil).Lookup(feed.KindTransform, "remote")
	if ks := config.Keys(f); len(ks) != 1 || ks[0].Name != "unit" {
		t.Errorf("keys %+v", ks)
	}
}

// What another process gets is decoded as strictly as a file, but a dollar is one
// and a secret may stand there.
func TestDecodeStage(t *testing.T) {
	f, _ := registry(t, nil).Lookup(feed.KindSource, "queue")
	c, err := config.DecodeStage(f, []byte(`{"url":"amqp://u:p@h/","password":"${not a reference","queue":"$q","ackLimit":"30s","prefetch":"7","mode":"stream","tls":{"insecure":true},"bindings":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := c.(*queueConfig)
	password, err := got.Password.Reveal()
	if err != nil || password != "${not a reference" || got.Queue != "$q" || got.AckLimit != 30*time.Second || got.Prefetch != 7 || got.Mode != "stream" || !got.TLS.Insecure {
		t.Errorf("got %+v, password %q, %v", got, password, err)
	}
	for object, want := range map[string]string{
		`{"queue":"a","quue":"b"}`:            "quue: unknown key",
		`{"queue":"a","ackLimit":"x"}`:        "ackLimit: expected a duration",
		`{"queue":"a","password":["canary"]}`: "password: expected a secret",
		`{"queue":"a","url":"canary://%zz"}`:  "url: is no valid URL",
		`{}`:                                  "queue: required (write the name of the queue)",
		`[]`:                                  "expected a mapping",
		`{"queue":`:                           "is no JSON object",
		`{"queue":"a","tls":{"insecure":true,"caFile":"x"}}`: "tls.caFile: has no effect",
	} {
		_, err := config.DecodeStage(f, []byte(object))
		var ce *feed.ConfigError
		if !errors.As(err, &ce) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %s", object, err, want)
		}
	}
	schema, err := config.StageSchema(f)
	if err != nil || !json.Valid(schema) || !strings.Contains(string(schema), `"ackLimit"`) {
		t.Errorf("schema %s, %v", schema, err)
	}
}

// The plugins are known before the rest of the file makes sense.
func TestLoadPlugins(t *testing.T) {
	file := t.TempDir() + "/feed.yaml"
	text := `
plugins:
  list: [{path: acme, sha256: 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03, language: other, env: [PATH], limits: {timeout: 2m, restarts: 7}}]
  limits: {memory: 64MiB}
routes: {a: {source: {unknown: {secret: "${MISSING}"}}}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := config.LoadPlugins(file)
	if err != nil || len(p.List) != 1 || p.List[0].Language != config.PluginOther || p.Limits.Memory != 64*feed.MiB || p.Limits.Restarts != 5 || p.Empty() {
		t.Fatalf("%+v, %v", p, err)
	}
	want := config.DefaultPluginLimits
	want.Memory, want.Timeout, want.Restarts = 64*feed.MiB, 2*time.Minute, 7
	if got := p.List[0].Limits.Or(p.Limits); got != want {
		t.Errorf("the plugin's limits are %+v, want %+v", got, want)
	}
}
