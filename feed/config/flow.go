package config

import "strings"

// place is a place in a text. Line and column count from 1.
type place struct{ line, column int }

// flow looks through the { } and [ ] of a text that is no valid YAML: what it says
// of others means nothing. It finds the first ${…} without quotes inside of them,
// where YAML takes its brace for one of its own, and else those that are open at the
// end, the outermost first.
func flow(text string) (bareReference *place, open []place) {
	at := place{line: 1}
	quote := ' '   // the quote that is open, or a space
	last := ' '    // the character before, other than a space; a space at the beginning of a line
	before := '\n' // the character before
	skip := 0
	runes := []rune(text)
	for i, r := range runes {
		at.column++
		starts := before == ' ' || before == '\n' || len(open) > 0 && strings.ContainsRune("{[,:", before)
		switch {
		case skip > 0:
			skip--
		case r == '\n':
			at, last = place{line: at.line + 1}, ' '
		case quote == '#':
		case quote == '"' && r == '\\', quote == '\'' && r == '\'' && next(runes, i) == '\'':
			skip = 1
		case quote != ' ':
			if r == quote {
				quote = ' '
			}
		case starts && (r == '"' || r == '\''), r == '#' && (before == ' ' || before == '\n'):
			quote = r
		case r == '$' && next(runes, i) == '{':
			if len(open) > 0 {
				return &at, nil
			}
			skip = 1
		case r == '{' || r == '[':
			if len(open) > 0 || starts && strings.ContainsRune(" :-,", last) {
				open = append(open, at)
			}
		case (r == '}' || r == ']') && len(open) > 0:
			open = open[:len(open)-1]
		}
		if r == '\n' && quote == '#' {
			quote = ' '
		}
		if r != ' ' && r != '\n' {
			last = r
		}
		before = r
	}
	return nil, open
}

// next returns the rune after that at i, or 0.
func next(runes []rune, i int) rune {
	if i+1 < len(runes) {
		return runes[i+1]
	}
	return 0
}
