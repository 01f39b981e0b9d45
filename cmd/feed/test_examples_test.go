package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamplesOfTestHelp runs the tests that the help of feed test shows.
func TestExamplesOfTestHelp(t *testing.T) {
	_, example, ok := strings.Cut(testHelp, "\n  tests:\n")
	example, _, more := strings.Cut(example, "\n\nWhat is expected")
	if !ok || !more {
		t.Fatal("the help has no example")
	}
	file := filepath.Join(t.TempDir(), "feed.yaml")
	text := `routes:
  telemetry:
    source: {generate: {}}
    transforms: [bridge: {rules: [{match: "telemetry.{site}.{device}.{tag}", topic: "kraft/{site}/{device}/{tag}"}]}]
    sink: {log: {}}
tests:
` + example + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"test", file}, strings.NewReader(""), &out, &errs); code != exitOK || !strings.HasSuffix(out.String(), "ok, 2 of 2 tests\n") {
		t.Errorf("exit code %d:\n%s%s", code, out.String(), errs.String())
	}
}

// TestExamplesPassTheirTests runs feed test on all examples: each that has routes
// has some tests, and one that has none is no mistake.
func TestExamplesPassTheirTests(t *testing.T) {
	files, err := filepath.Glob("../../examples/feeds/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := ": ok, "
		if !strings.Contains(string(text), "\nroutes:") {
			want = ": no tests\n"
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			var out, errs strings.Builder
			if code := run(t.Context(), []string{"test", file}, strings.NewReader(""), &out, &errs); code != exitOK || !strings.Contains(out.String(), want) {
				t.Errorf("exit code %d:\n%s%s", code, out.String(), errs.String())
			}
		})
	}
}
