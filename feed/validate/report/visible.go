package report

import (
	"iter"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How many characters of a text are shown.
const (
	mostName     = 120 // of a device, a tag, a value
	mostPlace    = 240
	mostSentence = 600
)

// blanks are letters and symbols that have no shape.
const blanks = "\u115f\u1160\u2800\u3164\uffa0"

// visible writes foreign text on one line, with escapes for what does not show
// itself: control characters, those that change the direction of writing, spaces
// that only look like one, and bytes that are no UTF-8. It cuts what is longer than
// most characters.
func visible(text string, most int) string {
	var b strings.Builder
	for piece := range pieces(text, most) {
		b.WriteString(piece)
	}
	return b.String()
}

// pieces divides what visible writes into texts and escapes (true).
func pieces(text string, most int) iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		var b strings.Builder
		escaped := false
		// add puts a piece behind others of its kind.
		add := func(piece string, escape bool) bool {
			if escape != escaped && b.Len() > 0 {
				if !yield(b.String(), escaped) {
					return false
				}
				b.Reset()
			}
			escaped = escape
			b.WriteString(piece)
			return true
		}
		for shown := 0; text != ""; shown++ {
			if shown == most {
				if !add("…", false) {
					return
				}
				break
			}
			r, n := utf8.DecodeRuneInString(text)
			piece := text[:n]
			escape := escapeOf(r, piece)
			text = text[n:]
			if escape != "" {
				piece = escape
			}
			if !add(piece, escape != "") {
				return
			}
		}
		if b.Len() > 0 {
			yield(b.String(), escaped)
		}
	}
}

// escapeOf returns the escape of a character, and "" when it shows itself.
func escapeOf(r rune, bytes string) string {
	switch {
	case r == utf8.RuneError && len(bytes) == 1:
		return `\x` + strconv.FormatUint(uint64(bytes[0]), 16)
	case strings.ContainsRune(blanks, r):
		return `\u` + strconv.FormatInt(int64(r), 16)
	case unicode.IsPrint(r):
		return ""
	}
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1]
}
