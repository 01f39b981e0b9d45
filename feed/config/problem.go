package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/kraft-edge/datafeed/feed"
)

// maxProblems bounds how many problems an [Error] lists.
const maxProblems = 50

// Problem is one thing that is wrong with a file, or doubtful, and where.
type Problem struct {
	File string
	// Line and Column count from 1; both are 0 when the problem concerns the
	// file as a whole.
	Line, Column int
	// Key is the path of the key, such as "routes.line1.source.amqp.url".
	Key string
	// Reason says what is wrong, Remedy what to do about it.
	Reason, Remedy string
	// Lacking is the kind of a stage that nobody has; of any other problem it is
	// empty.
	Lacking feed.Kind
}

// String prints the problem as "file:line:column: key: reason (remedy)".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Reason)
	if p.Remedy != "" {
		b.WriteString(" (" + p.Remedy + ")")
	}
	return b.String()
}

// Error is all that is wrong with a file, in the order of the lines.
type Error struct {
	// Problems has at least one entry, and at most 50.
	Problems []Problem
	// More counts the problems beyond those.
	More int
}

// Error prints one problem a line.
func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// Join returns all that is wrong with a file of which two parts were read, without
// what both have found.
func (e *Error) Join(other *Error) *Error {
	ps, more := byPosition(slices.Concat(e.Problems, other.Problems))
	return &Error{Problems: ps, More: max(e.More, other.More) + more}
}

// byPosition sorts problems by line and column, keeps the first of those that
// are equal, and returns at most maxProblems of them with the number of the
// rest.
func byPosition(ps []Problem) ([]Problem, int) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	ps = slices.Compact(ps)
	if len(ps) > maxProblems {
		return ps[:maxProblems], len(ps) - maxProblems
	}
	return ps, 0
}

// quote shows text from the file in a message: on one line, printable, and
// never long.
func quote(text string) string { return fmt.Sprintf("%q", shorten(text)) }

// shorten cuts text to a length that fits a message.
func shorten(text string) string {
	const most = 60
	if runes := []rune(text[:min(len(text), 4*most)]); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// joinKey appends a segment to a dotted key. Segments that would be ambiguous
// are quoted.
func joinKey(key, segment string) string {
	segment = shorten(segment)
	plain := segment != "" && strings.IndexFunc(segment, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_$", r)
	}) < 0
	switch {
	case !plain:
		return key + fmt.Sprintf("[%q]", segment)
	case key == "":
		return segment
	default:
		return key + "." + segment
	}
}
