package azure_test

import (
	"fmt"
	"strings"
	"unicode"
)

type tokenKind int

const (
	endOfFile tokenKind = iota
	newline
	identifier
	number
	text // a string in quotes, with its holes
	symbol
)

type token struct {
	kind  tokenKind
	value string
	line  int
}

var longSymbols = []string{"==", "!=", "&&", "||", "??"}

// lex cuts a Bicep file into tokens. Newlines separate entries in Bicep, and are tokens.
func lex(source string) ([]token, error) {
	var tokens []token
	line := 1
	for i := 0; i < len(source); {
		c := source[i]
		switch {
		case c == '\n':
			tokens = append(tokens, token{newline, "\n", line})
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case strings.HasPrefix(source[i:], "//"):
			for i < len(source) && source[i] != '\n' {
				i++
			}
		case c == '\'':
			end, err := endOfString(source, i+1)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			tokens = append(tokens, token{text, source[i+1 : end], line})
			i = end + 1
		case unicode.IsDigit(rune(c)):
			start := i
			for i < len(source) && unicode.IsDigit(rune(source[i])) {
				i++
			}
			tokens = append(tokens, token{number, source[start:i], line})
		case isWord(c):
			start := i
			for i < len(source) && (isWord(source[i]) || unicode.IsDigit(rune(source[i]))) {
				i++
			}
			tokens = append(tokens, token{identifier, source[start:i], line})
		default:
			value := string(c)
			for _, long := range longSymbols {
				if strings.HasPrefix(source[i:], long) {
					value = long
				}
			}
			if len(value) == 1 && strings.IndexByte("{}[]():=.,?@!", c) < 0 {
				return nil, fmt.Errorf("line %d: %q is not known here", line, c)
			}
			tokens = append(tokens, token{symbol, value, line})
			i += len(value)
		}
	}
	return append(tokens, token{newline, "\n", line}, token{endOfFile, "", line}), nil
}

// endOfString finds the quote that ends the string which begins at i. Quotes within ${…} are those of other strings.
func endOfString(source string, i int) (int, error) {
	depth := 0
	for ; i < len(source); i++ {
		switch {
		case source[i] == '\n':
			return 0, fmt.Errorf("a string does not end on its line")
		case source[i] == '\\' && depth == 0:
			i++
		case strings.HasPrefix(source[i:], "${"):
			depth++
			i++
		case source[i] == '}' && depth > 0:
			depth--
		case source[i] == '\'' && depth == 0:
			return i, nil
		}
	}
	return 0, fmt.Errorf("a string does not end")
}

func isWord(c byte) bool { return c == '_' || unicode.IsLetter(rune(c)) }
