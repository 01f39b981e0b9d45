package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFileWithAStageOfItsOwn runs the example's file.
func TestFileWithAStageOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DIR", dir)
	if err := run(t.Context(), "feed.yaml"); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(written(t, dir), "\n"); n != 100 {
		t.Errorf("%d readings were written, want 100", n)
	}
}

// TestConvertedOrQuarantined has readings that the transform converts, and some
// that it refuses: these stand in the quarantine that the file names.
func TestConvertedOrQuarantined(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DIR", dir)
	raw, err := os.ReadFile("feed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "feed.yaml")
	text := strings.Replace(string(raw), "{field: value}", "{field: missing}", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	r, err := quarantine.OpenReadOnly(t.Context(), quarantine.Place{Path: filepath.Join(dir, "quarantine.db"), Feed: "embedded"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	items, err := r.List(t.Context(), quarantine.Query{Limit: 1000})
	if err != nil || len(items) != 100 || !strings.Contains(items[0].Reason, "missing is no number") {
		t.Errorf("%d messages in the quarantine, error %v, first %+v", len(items), err, items[:min(1, len(items))])
	}
}

// TestMistakesHaveTheirPlace: the stage's own keys are checked as the others are.
func TestMistakesHaveTheirPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "feed.yaml")
	text := "routes:\n  r:\n    source: {generate: {}}\n    transforms: [celsius: {feild: value}]\n    sink: {log: {}}\n    allowLoss: true\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), file)
	var problems *config.Error
	if !errors.As(err, &problems) || !strings.Contains(err.Error(), file+":4:") || !strings.Contains(err.Error(), "field") {
		t.Errorf("got %v", err)
	}
}

// written returns all that stands in the objects of the blob sink.
func written(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(dir, "readings"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		all.Write(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
