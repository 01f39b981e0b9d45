package jsonscan

import "fmt"

// SyntaxError says where a text ceases to be JSON.
type SyntaxError struct {
	Offset  int // in bytes from the beginning
	Problem string
}

// Error joins offset and problem.
func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Problem) }

// problem is the number of a problem's text. A text in the scanner would make
// the compiler believe that all it holds outlives it.
type problem uint8

const (
	none problem = iota
	noValue
	tooDeep
	noName
	noColon
	noMemberEnd
	noElementEnd
	noQuote
	controlCharacter
	noEscaped
	noHex
	badEscape
	badWord
	noDigit
	trailing
	noUTF8
)

var problems = [...]string{
	noValue:          "a value is missing",
	tooDeep:          "values are nested too deeply",
	noName:           "the name of a member is missing",
	noColon:          "a : is missing after the name of a member",
	noMemberEnd:      "a , or } is missing after a member",
	noElementEnd:     "a , or ] is missing after an element",
	noQuote:          "the \" that closes a string is missing",
	controlCharacter: "a control character stands in a string",
	noEscaped:        "what a \\ escapes is missing",
	noHex:            "\\u is not followed by four hexadecimal digits",
	badEscape:        "no such character can be escaped",
	badWord:          "a value begins like a word of JSON's and is none",
	noDigit:          "a digit is missing in a number",
	trailing:         "something follows the value",
	noUTF8:           "the bytes are no UTF-8",
}
