package config

import "strings"

// bareReference finds the first ${…} without quotes inside { } or [ ], where
// YAML takes its brace for one of its own. It is for texts that are no valid
// YAML: what it says of others means nothing. Line and column count from 1.
func bareReference(text string) (line, column int, found bool) {
	depth := 0     // of { and [
	quote := ' '   // the quote that is open, or a space
	last := ' '    // the character before, other than a space; a space at the beginning of a line
	before := '\n' // the character before
	skip := 0
	runes := []rune(text)
	line = 1
	for i, r := range runes {
		column++
		starts := before == ' ' || before == '\n' || depth > 0 && strings.ContainsRune("{[,:", before)
		switch {
		case skip > 0:
			skip--
		case r == '\n':
			line, column, last = line+1, 0, ' '
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
			if depth > 0 {
				return line, column, true
			}
			skip = 1
		case r == '{' || r == '[':
			if depth > 0 || starts && strings.ContainsRune(" :-,", last) {
				depth++
			}
		case (r == '}' || r == ']') && depth > 0:
			depth--
		}
		if r == '\n' && quote == '#' {
			quote = ' '
		}
		if r != ' ' && r != '\n' {
			last = r
		}
		before = r
	}
	return 0, 0, false
}

// next returns the rune after that at i, or 0.
func next(runes []rune, i int) rune {
	if i+1 < len(runes) {
		return runes[i+1]
	}
	return 0
}
