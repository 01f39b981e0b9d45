package config

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	// ofStructure are problems of the parser behind the scanner, which counts their
	// lines from 0.
	ofStructure = regexp.MustCompile(`^did not find expected (?:key|node content|'-' indicator|',' or '[\]}]'|<.*>)$|^found (?:undefined tag handle|duplicate %|incompatible YAML)`)
	noAnchor    = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntaxProblem finds the position in an error of the YAML parser, which knows at
// most the line, or that of what most likely is its cause.
func syntaxProblem(file string, data []byte, err error) *Problem {
	p := &Problem{File: file, Line: 1, Column: 1, Reason: "not valid YAML: " + err.Error()} // without a line it is the first
	lines := strings.Split(string(data), "\n")
	structure := false
	if m := syntaxLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " ")); m != nil {
		p.Reason = "not valid YAML: " + shorten(m[2])
		structure = ofStructure.MatchString(m[2])
		if line, convErr := strconv.Atoi(m[1]); convErr == nil {
			if p.Line = line; structure {
				p.Line = min(line+1, len(lines))
			}
		}
		if anchor := noAnchor.FindStringSubmatch(m[2]); anchor != nil {
			p.Line, p.Column = aliasAt(lines, anchor[1])
			p.Remedy = "write &" + shorten(anchor[1]) + " before what it stands for, or, if it is to be a text, put it in quotes"
			return p
		}
	}
	bare, open := flow(string(data))
	switch {
	case strings.Contains(p.Reason, "cannot start any token"):
		p.Remedy = "indent with spaces, not with tabs"
	case bare != nil && bare.line <= p.Line:
		p.Line, p.Column, p.Remedy = bare.line, bare.column, `inside { } and [ ] write "${NAME}" with quotes`
	case structure && len(open) > 0:
		p.Line, p.Column, p.Remedy = open[len(open)-1].line, open[len(open)-1].column, "close this bracket"
	}
	return p
}

// aliasAt finds the first alias of a name. Line and column count from 1.
func aliasAt(lines []string, name string) (line, column int) {
	alias := regexp.MustCompile(`(?:^|[\s\[{,])(\*` + regexp.QuoteMeta(name) + `)(?:$|[\s\]},])`)
	for i, text := range lines {
		if comment := strings.Index(" "+text, " #"); comment >= 0 {
			text = text[:comment]
		}
		if at := alias.FindStringSubmatchIndex(text); at != nil {
			return i + 1, utf8.RuneCountInString(text[:at[2]]) + 1
		}
	}
	return 1, 1
}
