package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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

var block = regexp.MustCompile("(?ms)^```(yaml|console)\n(.*?)^```$")

// scriptOf makes a script of the examples: the files that begin with their
// name, a lint of each, and the commands with what they print. An ellipsis
// stands for anything within a line, and alone on a line for any lines.
func scriptOf(t *testing.T, doc string) string {
	t.Helper()
	var script, files strings.Builder
	files.WriteString("-- plant.yaml --\n" + plantYAML + "\n")
	script.WriteString("quarantine plant.db\n")
	for _, b := range block.FindAllStringSubmatch(doc, -1) {
		if b[1] == "yaml" {
			first, rest, _ := strings.Cut(b[2], "\n")
			name, ok := strings.CutPrefix(first, "# ")
			if !ok {
				t.Fatalf("an example does not begin with the name of its file:\n%s", b[2])
			}
			fmt.Fprintf(&files, "-- %s --\n%s", name, rest)
			fmt.Fprintf(&script, "exec feed lint %s\n! stderr .\n", name)
			continue
		}
		for line := range strings.SplitSeq(b[2], "\n") {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				fmt.Fprintf(&script, "exec sh -c '%s'\n", strings.ReplaceAll(command, "'", "''"))
			} else if strings.Trim(line, "… ") != "" {
				fmt.Fprintf(&script, "stdout '%s'\n", strings.ReplaceAll(pattern(line), "'", "''"))
			}
		}
	}
	if n := strings.Count(script.String(), "stdout"); n < 20 {
		t.Fatalf("only %d lines are compared:\n%s", n, script.String())
	}
	return script.String() + files.String()
}

// pattern matches a line of the document: columns may be wider.
func pattern(line string) string {
	p := regexp.QuoteMeta(line)
	p = regexp.MustCompile(` {2,}`).ReplaceAllString(p, ` +`)
	return "^" + strings.ReplaceAll(p, "…", ".*") + "$"
}
