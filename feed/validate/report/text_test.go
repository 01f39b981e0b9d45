package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed/validate"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file below testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got:\n%s\nwant:\n%s", name, got, want)
	}
}

func textOf(t *testing.T, r *validate.Result, s Style) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteText(&b, r, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	for name, r := range samples() {
		got := textOf(t, r, Style{})
		golden(t, name+".golden", got)
		fits(t, got)
	}
	golden(t, "color.golden", textOf(t, sample(40, 96, 60), Style{Color: true}))
}

// fits sees that a text has 28 lines of 79 columns at most, and nothing that a
// terminal takes for a command.
func fits(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > 28 {
		t.Errorf("%d lines:\n%s", len(lines), text)
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > width {
			t.Errorf("%d columns: %s", n, l)
		}
		for _, r := range l {
			if escapeOf(r, string(r)) != "" {
				t.Errorf("%q in %q", r, l)
			}
		}
	}
}
