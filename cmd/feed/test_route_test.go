package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	watermill "github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages"
)

// away fails transiently, or for good when the payload says so.
func away() feed.Factory {
	return feed.TransformFactory("away", "Asks a database that is away.", func() awayConfig { return awayConfig{} },
		func(awayConfig, feed.StageEnv) (feed.Transform, error) {
			return feed.Transform{Func: func(m *watermill.Message) ([]*watermill.Message, error) {
				switch string(m.Payload) {
				case "good":
					return []*watermill.Message{m}, nil
				case "bad":
					return nil, feed.Permanent(errors.New("database is away"))
				}
				return nil, errors.New("database is away")
			}, Probe: func(context.Context) error { return errors.New("database is away") }}, nil
		})
}

type awayConfig struct{}

// Validate implements [feed.StageConfig].
func (*awayConfig) Validate() error { return nil }

// testText runs feed test on a text, with the stage "away" beside the others.
func testText(t *testing.T, text string) (code int, output string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "feed.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	registry, err := feed.NewRegistry(append(stages.All(), away())...)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	c := newCLI(registry, streams{strings.NewReader(""), &out, io.Discard})
	root := c.rootCommand()
	root.SetArgs([]string{"test", file})
	return exitCode(root.ExecuteContext(t.Context())), out.String()
}

// What a running feed would try again is neither quarantined nor filtered, and the
// other way round.
func TestRetriedIsAnOutcomeOfItsOwn(t *testing.T) {
	const file = `
routes: {a: {source: {generate: {}}, transforms: [away: {}], sink: {log: {}}}}
tests:
  - name: x
    given: [{text: GIVEN}, {text: good}]
    expect: [EXPECT, {text: good}]
`
	for _, tt := range []struct {
		given, expect string
		code          int
		output        string
	}{
		{"later", "retried: database is away", exitOK, "ok, 1 of 1 tests"},
		{"later", "quarantined: database is away", exitFailure, "+ retried: transform away: database is away"},
		{"later", "filtered: database is away", exitFailure, "+ retried: transform away: database is away"},
		{"bad", "retried: database is away", exitFailure, "- retried: …database is away…"},
		{"bad", "quarantined: database is away", exitOK, "ok, 1 of 1 tests"},
		{"good", "retried: database is away", exitFailure, "+ message to"},
	} {
		code, output := testText(t, strings.NewReplacer("GIVEN", tt.given, "EXPECT", "{"+tt.expect+"}").Replace(file))
		if code != tt.code || !strings.Contains(output, tt.output) {
			t.Errorf("%s, expected %s: exit code %d, want %d and %q:\n%s", tt.given, tt.expect, code, tt.code, tt.output, output)
		}
	}
}
