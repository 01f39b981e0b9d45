package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCapacityDocument runs the examples of docs/capacity.md, and compares what
// they print with what the document shows.
func TestCapacityDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/capacity.md")
	if err != nil {
		t.Fatal(err)
	}
	commands, files := examplesOf(t, string(doc))
	if n := strings.Count(commands, "stdout"); n < 8 {
		t.Fatalf("only %d lines are compared:\n%s", n, commands)
	}
	files += "-- rabbitmq.conf --\ndisk_free_limit.absolute = 500MB\n"
	script := filepath.Join(t.TempDir(), "document.txtar")
	if err := os.WriteFile(script, []byte(commands+files), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files:               []string{script},
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("AMQP_URL", "amqp://rabbitmq") // for lint
			env.Setenv("MQTT_URL", "mqtt://mosquitto")
			return nil
		},
	})
}

// TestCapacityDocumentIsComplete: docs/capacity.md tells of each flag.
func TestCapacityDocumentIsComplete(t *testing.T) {
	doc, err := os.ReadFile("../../docs/capacity.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := initializeCLI(streams{strings.NewReader(""), os.Stdout, os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`(?m)^ +(--[a-z-]+)`).FindAllStringSubmatch(c.capacityCommand().Flags().FlagUsages(), -1)
	if len(flags) < 6 {
		t.Fatalf("flags %v", flags)
	}
	for _, f := range flags {
		if !regexp.MustCompile("`" + f[1] + "[` ]").Match(doc) {
			t.Errorf("nothing is said of %s", f[1])
		}
	}
}
