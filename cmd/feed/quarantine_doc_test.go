package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// plantYAML is the file that docs/quarantine.md calls plant.yaml.
const plantYAML = `quarantine: {path: plant.db}`

// TestQuarantineDocument runs every example of docs/quarantine.md, in order, and
// compares what it prints with what the document shows.
func TestQuarantineDocument(t *testing.T) {
	v := testenv.RabbitMQ(t)
	ch := openChannel(t, v.URL())
	declareBound(t, ch, "telemetry", "telemetry.a", "mended")
	declareBound(t, ch, "", "", "graveyard")
	doc, err := os.ReadFile("../../docs/quarantine.md")
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "document.txtar")
	if err := os.WriteFile(script, []byte(scriptOf(t, string(doc))), 0o600); err != nil {
		t.Fatal(err)
	}
	params := testscript.Params{
		Files:               []string{script},
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("AMQP_URL", v.URL())
			env.Setenv("DATABASE_URL", "postgres://feed:secret@database/feed")
			env.Setenv("DIR", "file://"+env.WorkDir+"/out")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"quarantine": fillQuarantine},
	}
	t.Run("script", func(t *testing.T) { testscript.Run(t, params) }) // it ends with its parallel parts
	for queue, want := range map[string]string{"mended": `{"value": 1}`, "graveyard": "\x00\x01binary\x1b[2J"} {
		d, ok, err := ch.Get(queue, true)
		if err != nil || !ok || string(d.Body) != want {
			t.Errorf("queue %s has %q, there %v, error %v", queue, d.Body, ok, err)
		}
	}
}

// scriptOf makes a script of the examples, beside a file plant.yaml whose
// quarantine holds a few messages.
func scriptOf(t *testing.T, doc string) string {
	t.Helper()
	commands, files := examplesOf(t, doc)
	if n := strings.Count(commands, "stdout"); n < 20 {
		t.Fatalf("only %d lines are compared:\n%s", n, commands)
	}
	return "quarantine plant.db\n" + commands + "-- plant.yaml --\n" + plantYAML + "\n" + files
}
