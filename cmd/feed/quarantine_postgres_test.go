package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// TestCommandsOnPostgreSQL looks at, copies and removes what stands in a
// database, while a feed has it open.
func TestCommandsOnPostgreSQL(t *testing.T) {
	url := testenv.PostgreSQL(t).URL()
	t.Setenv("DATABASE_URL", url)
	c := quarantine.DefaultConfig()
	c.Feed, c.Postgres.URL = "line-1", feed.NewURL(url)
	s, err := quarantine.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Put(t.Context(), []feed.QuarantineItem{
		quarantined(t, amqp.Properties{RoutingKey: "a"}, "first"), quarantined(t, amqp.Properties{RoutingKey: "b"}, "second"),
	}); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "out.ndjson")
	for _, step := range []struct {
		command string
		want    string
	}{
		{"ls", "2 of 2 messages"},
		{"ls --reason told --before 2", "1 of 2 messages"},
		{"show 2", "second"},
		{"export --all --output " + output, "2 messages exported"},
		{"ls --state exported --json", `"to": "file `},
		{"purge --id 1 --yes", "1 message removed"},
		{"ls", "1 of 1 message, "},
		{"audit", "--id \"1\""},
	} {
		args := append([]string{"quarantine"}, strings.Fields(step.command)...)
		if out, _ := runs(t, exitOK, append(args, "--db", "${DATABASE_URL}")...); !strings.Contains(out, step.want) {
			t.Errorf("%s printed, without %q:\n%s", step.command, step.want, out)
		}
	}
	if text, err := os.ReadFile(output); err != nil || strings.Count(string(text), "\n") != 2 {
		t.Errorf("exported %s, error %v", text, err)
	}
}
