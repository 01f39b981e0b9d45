package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// compileSchema returns the schema of the test stages as an editor uses it.
func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := config.Schema(registry(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("feed.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("feed.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON decodes YAML as an editor does.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	s := compileSchema(t)
	for name, text := range map[string]string{
		"all keys":  good,
		"least":     "routes: {a: {source: {queue: {queue: q}}, sink: {place: }}}",
		"sections":  "log:\nadmin:\nroutes: {a: {source: {queue: {queue: q, tls: , bindings: }}, transforms: , sink: {place: {}}}}",
		"zero":      "routes: {a: {source: {queue: {queue: 12, ackLimit: 0}}, sink: {place: {}}, batch: {maxDelay: 0, maxBytes: 4096}}}",
		"reference": `routes: {a: {source: {queue: {queue: q, mode: "${M:-quorum}", ratio: "${M:-1.5}", tls: {insecure: "${M:-true}"}}}, sink: {place: {}}, batch: {maxDelay: "${M:-1s}"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			parse(t, text)
			if err := s.Validate(asJSON(t, text)); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestSchemaRefuses validates what is wrong in its form: an editor shows it
// while one types.
func TestSchemaRefuses(t *testing.T) {
	s := compileSchema(t)
	for _, name := range []string{"unknown-keys", "wrong-types", "no-routes", "missing-routes", "list", "file-level"} {
		data, err := os.ReadFile(filepath.Join("testdata/bad", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(asJSON(t, strings.ReplaceAll(string(data), ".nan", "wrong"))) == nil {
			t.Errorf("%s passes", name)
		}
	}
	for _, rules := range []string{"[{}]", "[{topic: x}]", "[]"} {
		text := "routes: {a: {source: {queue: {queue: q}}, transforms: [{bridge: {rules: " + rules + "}}], sink: {place: {}}}}"
		if taken := s.Validate(asJSON(t, text)) == nil; taken != (rules == "[]") {
			t.Errorf("%s: the schema takes it: %t", text, taken)
		}
	}
	for _, settings := range []string{
		"{}", "", "{queue: q, quue: x}", "{queue: q, password: literal}", "{queue: q, prefetch: 70000}", "{queue: q, prefetch: -1}", "{queue: q, prefetch: many}",
		"{queue: q, ackLimit: 30}", "{queue: q, ackLimit: soon}", "{queue: q, maxLength: 4 MiBs}", "{queue: q, mode: quorun}", "{queue: q, tls: {insecure: yess}}",
		"{queue: q, bindings: a}", "{queue: q, headers: [a]}", "{queue: q, offset: half}",
	} {
		text := "routes: {a: {source: {queue: " + settings + "}, sink: {place: {}}}}"
		if s.Validate(asJSON(t, text)) == nil {
			t.Errorf("%s passes the schema", text)
		}
		if _, err := config.Parse("feed.yaml", []byte(text), registry(t, nil), environment); err == nil {
			t.Errorf("%s passes Parse", text)
		}
	}
}

func TestKeys(t *testing.T) {
	f, _ := registry(t, nil).Lookup(feed.KindSource, "queue")
	byName := map[string]config.Key{}
	for _, k := range config.Keys(f) {
		byName[k.Name] = k
	}
	for _, want := range []config.Key{
		{Name: "url", Type: "URL", Doc: "Address of the broker."},
		{Name: "password", Type: "secret", Doc: "Password of the broker."},
		{Name: "queue", Type: "text", Required: true, Doc: "Queue to read."},
		{Name: "prefetch", Type: "whole number", Default: "2000", Doc: "Most unsettled messages."},
		{Name: "ackLimit", Type: "duration", Default: "30m", Doc: "The broker's acknowledgement timeout."},
		{Name: "maxLength", Type: "size", Default: "1GiB", Doc: "Most bytes of the queue."},
		{Name: "mode", Type: "one of classic, quorum, stream", Default: "quorum", Values: []string{"classic", "quorum", "stream"}, Doc: "Kind of the queue."},
		{Name: "offset", Type: "whole number", Doc: "First offset; absent: the next."},
		{Name: "headers", Type: "map of text", Doc: "Headers to match."},
		{Name: "tls", Type: "mapping", Doc: "Encryption."},
		{Name: "tls.insecure", Type: "true or false", Default: "false", Doc: "Accepts any certificate."},
		{Name: "label", Type: "text", Doc: "A label."},
	} {
		if got := byName[want.Name]; !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	if len(byName) != 15 {
		t.Errorf("%d keys: %v", len(byName), byName)
	}
	b, _ := registry(t, nil).Lookup(feed.KindTransform, "bridge")
	var names []string
	for _, k := range config.Keys(b) {
		names = append(names, fmt.Sprintf("%s %s %t", k.Name, k.Type, k.Required))
	}
	if want := []string{"rules list of mapping false", "rules[].match text true", "rules[].topic text false"}; !reflect.DeepEqual(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// TestRequiredKeys checks that a key that another one can replace is not
// required.
func TestRequiredKeys(t *testing.T) {
	f := feed.SinkFactory("either", "", func() eitherConfig { return eitherConfig{} }, func(eitherConfig, feed.StageEnv) (*place, error) { return &place{}, nil })
	var required []string
	for _, k := range config.Keys(f) {
		if k.Required {
			required = append(required, k.Name)
		}
	}
	if !reflect.DeepEqual(required, []string{"needed"}) {
		t.Errorf("got %q", required)
	}
}
