package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
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

// width is that of a terminal, the last column free.
const width = 79

func TestText(t *testing.T) {
	for name, r := range samples() {
		got := textOf(t, r, Style{Width: width})
		golden(t, name+".golden", got)
		fits(t, got, width)
	}
	golden(t, "color.golden", textOf(t, sample(40, 96, 60), Style{Color: true, Width: width}))
	log := textOf(t, sample(40, 96, 60), Style{})
	golden(t, "log.golden", log)
	if strings.Contains(log, "…") {
		t.Errorf("without a width something is cut:\n%s", log)
	}
}

// TestNarrowText: any width will do.
func TestNarrowText(t *testing.T) {
	for w := 3; w < 200; w++ {
		for _, r := range samples() {
			fits(t, textOf(t, r, Style{Width: w}), w)
		}
	}
}

// TestPick: none of the verdicts is left out for many of a worse one.
func TestPick(t *testing.T) {
	var all []validate.Discrepancy
	for i := range 100 {
		all = append(all, validate.Discrepancy{Verdict: validate.Missing, Seq: uint64(i)})
	}
	all = append(all, validate.Discrepancy{Verdict: validate.Altered, Seq: 100}, validate.Discrepancy{Verdict: validate.Altered, Seq: 101}, validate.Discrepancy{Verdict: validate.Extra, Seq: 102})
	var got []uint64
	for _, d := range pick(all, 5) {
		got = append(got, d.Seq)
	}
	if want := []uint64{0, 1, 2, 100, 102}; !slices.Equal(got, want) {
		t.Errorf("picked %v, want %v", got, want)
	}
	if got := pick(all[:2], 5); len(got) != 2 {
		t.Errorf("picked %d of 2", len(got))
	}
}

// fits sees that a text has 50 lines at most, none longer than it may be, and nothing
// that a terminal takes for a command.
func fits(t *testing.T, text string, width int) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > 50 {
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
