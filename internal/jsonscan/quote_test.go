package jsonscan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// FuzzAppendQuoted reads back what was quoted, with encoding/json.
func FuzzAppendQuoted(f *testing.F) {
	for _, seed := range []string{"", "plain", "\"\\/\x00\n\x1f\x7f", "ü\u2028😀\ufffd", "\xff\xed\xa0\x80x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := jsonscan.AppendQuoted([]byte("x"), s)[1:]
		var got string
		if err := json.Unmarshal(quoted, &got); err != nil {
			t.Fatalf("%q became %q: %v", s, quoted, err)
		}
		// Each byte that is no UTF-8 becomes a character of its own.
		if want := string([]rune(s)); got != want || !strings.HasSuffix(string(quoted), `"`) {
			t.Fatalf("%q became %q", s, quoted)
		}
	})
}
