package host

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func testLines(out *safeBuffer) *lines {
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return &lines{log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: noTime})), tell: true}
}

func TestLines(t *testing.T) {
	for _, c := range []struct{ text, want, words string }{
		{"one\ntwo\r\n\nthree", "level=INFO msg=one|level=INFO msg=two|level=INFO msg=three", "three"},
		{`{"time":"x","level":"ERROR+1","msg":"m","b":{"c":1},"a":null}` + "\n", `level=ERROR+1 msg=m a=<nil> b=map[c:1]`, "m (a=<nil>, b=map[c:1])"},
		{`{"@level":"trace","@message":"m","@module":"x","@timestamp":"y"}` + "\n", `level=DEBUG msg=m`, ""},
		{"I give up\n" + `{"level":"INFO","msg":"closed"}` + "\n", `level=INFO msg="I give up"|level=INFO msg=closed`, "I give up"},
		{`{"level":"WARN","msg":"late"}` + "\n" + `{"level":"DEBUG","msg":"m"}` + "\n", `level=WARN msg=late|level=DEBUG msg=m`, "late"},
		{`{"level":"loud","msg":"m"}` + "\n" + `{"a":` + "\n", `level=INFO msg="{\"level\":\"loud\",\"msg\":\"m\"}"|level=INFO msg="{\"a\":"`, ""},
		{"panic: oh\n\ngoroutine 1:\n", `level=ERROR msg="panic: oh"|level=ERROR msg="goroutine 1:"`, "panic: oh"},
		{"\xff\xfe\n", "level=INFO msg=\"\uFFFD\"", "\uFFFD"},
		{strings.Repeat("x", longestLine+5) + "\ny\n", "level=INFO msg=" + strings.Repeat("x", longestLine) + " cut=true|level=INFO msg=y", "y"},
		{strings.Repeat("x", longestLine-1) + "é!\n", "level=INFO msg=" + strings.Repeat("x", longestLine-1) + " cut=true", ""},
		{strings.Repeat("x", longestWords-1) + "é\n", "level=INFO msg=" + strings.Repeat("x", longestWords-1) + "é", strings.Repeat("x", longestWords-1)},
	} {
		for _, piece := range []int{1, 7, 1 << 20} {
			var out safeBuffer
			l := testLines(&out)
			for rest := c.text; rest != ""; {
				n := min(piece, len(rest))
				if _, err := l.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(strings.TrimSpace(out.String()), "\n", "|"); got != c.want {
				t.Errorf("%.40q in pieces of %d: got %.200s, want %.200s", c.text, piece, got, c.want)
			}
			if c.words != "" && l.lastWords() != c.words {
				t.Errorf("%.40q: the last words are %q, want %q", c.text, l.lastWords(), c.words)
			}
		}
	}
}

// A plugin that writes without end does not fill the log, and that it does is told.
func TestLinesPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuffer
		l := testLines(&out)
		for range 3 {
			for i := range 3 * linesPerSecond {
				fmt.Fprintln(l, "line", i)
			}
			time.Sleep(time.Second) // of fake time
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		told := fmt.Sprintf("linesLeftOut=%d", 2*linesPerSecond)
		if lines, left := strings.Count(out.String(), "msg=\"line "), strings.Count(out.String(), told); lines != 3*linesPerSecond || left != 3 {
			t.Errorf("%d lines were logged and %d times that some were not", lines, left)
		}
	})
}

// What is not logged anyway takes no room of what is, and what is no warning none of
// the warnings.
func TestLinesOfLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuffer
		l := &lines{log: slog.New(slog.NewTextHandler(&out, nil))}
		for range 2 * linesPerSecond {
			fmt.Fprintln(l, `{"level":"DEBUG","msg":"detail"}`)
		}
		fmt.Fprintln(l, "plain")
		for range 2 * linesPerSecond {
			fmt.Fprintln(l, `{"level":"INFO","msg":"chatter"}`)
		}
		fmt.Fprintln(l, `{"level":"ERROR","msg":"broken"}`)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		got := out.String()
		for text, want := range map[string]int{"detail": 0, "plain": 1, "chatter": linesPerSecond - 1, "broken": 1, fmt.Sprintf("linesLeftOut=%d", linesPerSecond+1): 1} {
			if n := strings.Count(got, text); n != want {
				t.Errorf("%s is there %d times, want %d", text, n, want)
			}
		}
	})
}
