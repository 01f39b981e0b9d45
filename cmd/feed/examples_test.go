package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed/config"
)

// TestExamples lints every example, and validates it with the schema as an
// editor does.
func TestExamples(t *testing.T) {
	t.Setenv("AMQP_URL", "amqp://feed:canary@rabbitmq:5672/")
	t.Setenv("MQTT_URL", "mqtt://mosquitto:1883")
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "DefaultEndpointsProtocol=https;AccountName=example;AccountKey=Y2FuYXJ5;EndpointSuffix=core.windows.net")
	t.Setenv("SHARD", "0")
	t.Setenv("WEBHOOK_TOKEN", "canary")
	t.Setenv("POSTGRES_URL", "postgres://feed@postgres:5432/plant")
	t.Setenv("POSTGRES_PASSWORD", "canary")
	t.Setenv("CLOUD_URL", "https://api.vendor.example")
	t.Setenv("CLOUD_SECRET", "canary")
	c, err := initializeCLI(streams{strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	schema := compileSchema(t, c)
	files, err := filepath.Glob("../../examples/feeds/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cfg, err := config.Load(file, c.registry)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range cfg.Warnings {
				t.Error(w)
			}
			if err := cfg.CheckStages(); err != nil {
				t.Error(err)
			}
			if err := schema.Validate(readYAML(t, file)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTryIsOfItsUser: users of one machine do not share a quarantine in /tmp.
func TestTryIsOfItsUser(t *testing.T) {
	paths := map[string]bool{}
	for _, user := range []string{"ann", "bob"} {
		t.Setenv("USER", user)
		cfg, err := config.LoadSettings("../../examples/feeds/try.yaml")
		if err != nil {
			t.Fatal(err)
		}
		paths[cfg.Quarantine.Path] = true
	}
	if len(paths) != 2 {
		t.Errorf("the quarantines are %v", paths)
	}
}

// TestConfigurationDocument lints every example of docs/configuration.md, and
// runs the tests that it has.
func TestConfigurationDocument(t *testing.T) {
	t.Setenv("AMQP_URL", "amqp://feed:canary@rabbitmq:5672/")
	t.Setenv("MQTT_URL", "mqtt://mosquitto:1883")
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := block.FindAllStringSubmatch(string(doc), -1)
	if len(examples) < 2 {
		t.Fatalf("%d examples were found", len(examples))
	}
	for _, b := range examples {
		file := filepath.Join(t.TempDir(), "feed.yaml")
		if err := os.WriteFile(file, []byte(b[2]), 0o600); err != nil {
			t.Fatal(err)
		}
		runs(t, exitOK, "lint", file)
		if strings.Contains(b[2], "\ntests:") {
			runs(t, exitOK, "test", file)
		}
	}
}

// compileSchema returns what "feed schema" prints, compiled.
func compileSchema(t *testing.T, c *cli) *jsonschema.Schema {
	t.Helper()
	text, err := config.Schema(c.registry)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("feed.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("feed.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func readYAML(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
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

// TestStagesAreDocumented checks that every key of every stage has a sentence,
// and a type that a file can set.
func TestStagesAreDocumented(t *testing.T) {
	c, err := initializeCLI(streams{strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.stageInfos() {
		if s.Summary == "" {
			t.Errorf("%s %s has no summary", s.Kind, s.Name)
		}
		for _, k := range s.Keys {
			if k.Doc == "" || k.Type == "" {
				t.Errorf("%s %s: key %s has the type %q and the documentation %q", s.Kind, s.Name, k.Name, k.Type, k.Doc)
			}
		}
	}
}

// TestExamplesRunSideBySide: the README starts feeds one after the other, and no two of them may take the same port or file.
func TestExamplesRunSideBySide(t *testing.T) {
	taken := make(map[string]string)
	for _, name := range []string{"telemetry", "ingest", "history"} {
		text, err := os.ReadFile("../../examples/feeds/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		places := regexp.MustCompile(`/var/lib/feed/[a-z-]+\.db|":[0-9]+"`).FindAllString(string(text), -1)
		if len(places) < 2 {
			t.Fatalf("%s has %q alone", name, places)
		}
		for _, place := range places {
			if other, ok := taken[place]; ok && other != name {
				t.Errorf("%s and %s have both %s", other, name, place)
			}
			taken[place] = name
		}
	}
}
