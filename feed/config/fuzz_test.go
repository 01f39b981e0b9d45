package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/config"
)

// FuzzParse feeds Parse with anything. It never panics, says nothing endless,
// and shows no secret.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(good))
	r := registry(f, nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("feed.yaml", data, r, environment)
		if err == nil {
			if len(c.Routes) == 0 {
				t.Error("a file without routes passed")
			}
			return
		}
		var all *config.Error
		if !errors.As(err, &all) || len(all.Problems) == 0 || len(all.Problems) > 50 {
			t.Fatalf("got %v", err)
		}
		if strings.Contains(err.Error(), "canary-secret") && !strings.Contains(string(data), "canary-secret") {
			t.Errorf("the text shows a secret of the environment: %v", err)
		}
		for _, p := range all.Problems {
			if lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 2; p.Line > lines {
				t.Errorf("line %d of %d: %v", p.Line, lines, p)
			}
			if len(p.String()) > 20_000 {
				t.Errorf("a text of %d bytes", len(p.String()))
			}
		}
	})
}

// TestPosition misspells any one word of a good file: the problem stands in
// the line of that word.
func TestPosition(t *testing.T) {
	lines := strings.Split(strings.TrimPrefix(good, "\n"), "\n")
	var keys []int
	for i, l := range lines {
		if strings.Contains(l, ":") && !strings.HasPrefix(strings.TrimSpace(l), "- place") && !strings.Contains(l, "telemetry:") && !strings.Contains(l, "second:") {
			keys = append(keys, i)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.SampledFrom(keys).Draw(t, "line")
		changed := append([]string(nil), lines...)
		at := strings.IndexByte(changed[i], ':')
		changed[i] = changed[i][:at] + rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "junk") + changed[i][at:]
		_, err := config.Parse("feed.yaml", []byte(strings.Join(changed, "\n")), registry(t, nil), environment)
		var all *config.Error
		if !errors.As(err, &all) {
			t.Fatalf("misspelt line %d passed: %v", i+1, err)
		}
		for _, p := range all.Problems {
			if p.Line == i+1 && p.Column == strings.IndexFunc(changed[i], func(r rune) bool { return r != ' ' && r != '-' })+1 {
				return
			}
		}
		t.Fatalf("line %d %q: %v", i+1, changed[i], err)
	})
}
