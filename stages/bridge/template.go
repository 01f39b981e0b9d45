package bridge

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// piece is a literal, or a captured value when slot is not anonymous.
type piece struct {
	literal string
	slot    int
	rest    bool // the value has several parts
	escape  escaping
}

// parseTemplate reads literals and {names}, and marks the names as used.
func parseTemplate(s string, n *names) ([]piece, error) {
	var pieces []piece
	lit := 0
	flush := func(end int) {
		if lit < end {
			pieces = append(pieces, piece{literal: s[lit:end], slot: anonymous})
		}
	}
	for i := 0; i < len(s); {
		switch s[i] {
		case '{':
			flush(i)
			name, next, err := cutName(s, i)
			if err != nil {
				return nil, err
			}
			rest, isRest := restName(s[i:next])
			if isRest {
				name = rest
			}
			slot, ok := n.slots[name]
			switch {
			case !ok:
				return nil, fmt.Errorf("the rule captures no {%s}", name)
			case isRest && name != n.rest:
				return nil, fmt.Errorf("{%s} is a single value: write it without dots", name)
			case !isRest && name == n.rest:
				return nil, fmt.Errorf("{%s...} stands for several parts: write it with its dots", name)
			}
			n.used[name] = true
			pieces = append(pieces, piece{slot: slot, rest: isRest})
			i, lit = next, next
		case '}':
			return nil, errors.New("a } stands without its {")
		default:
			i++
		}
	}
	flush(len(s))
	return pieces, nil
}

// parseTopic reads the template of a topic. It admits only templates that make
// different topics of different values.
func parseTopic(s string, n *names, dots bool) ([]piece, error) {
	if s == "" {
		return nil, errors.New("is empty")
	}
	pieces, err := parseTemplate(s, n)
	if err != nil {
		return nil, err
	}
	for i := range pieces {
		p := &pieces[i]
		if p.slot == anonymous {
			if err := checkTopicText(p.literal, dots); err != nil {
				return nil, err
			}
			continue
		}
		p.escape = escaping{dots: dots, start: i == 0}
		before, after := "/", "/"
		if i > 0 {
			before = pieces[i-1].literal
		}
		if i+1 < len(pieces) {
			after = pieces[i+1].literal
		}
		if before == "" || after == "" {
			return nil, errors.New("two values touch each other: put text between them")
		}
		if i == 0 && after[0] == '$' {
			return nil, errors.New("if the value is empty the topic begins with $, as a broker's own topics do: put something else first")
		}
		if p.rest && (!strings.HasSuffix(before, "/") || !strings.HasPrefix(after, "/")) {
			return nil, errors.New("a value of several parts must be whole levels: put it between slashes")
		}
		if i+2 < len(pieces) && !strings.Contains(after, "/") {
			if after[0] < ' ' || after[0] > '~' {
				return nil, fmt.Errorf("%q between two values of one level must begin with a printable ASCII character", after)
			}
			p.escape.stop = after[0]
		}
	}
	return pieces, nil
}

// checkTopicText reports what must not stand in a topic's own text.
func checkTopicText(s string, dots bool) error {
	switch {
	case strings.ContainsAny(s, "+#"):
		return errors.New("a topic to publish to must not hold the wildcards + and #")
	case strings.Contains(s, "%"):
		return errors.New("a % would look like an escaped character: leave it out")
	case dots && strings.Contains(s, "."):
		return errors.New("a dot becomes a slash at a broker for which escapeDots is set: leave it out")
	}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r < ' ' || r == 0x7f || r >= utf8.RuneSelf && !allowedRune(r, size) {
			return fmt.Errorf("%q must not stand in a topic", s[i:i+size])
		}
		i += size
	}
	return nil
}

// appendTopic appends the topic made of v.
func appendTopic(dst []byte, pieces []piece, v *values, separator byte) []byte {
	for i := range pieces {
		p := &pieces[i]
		switch {
		case p.slot == anonymous:
			dst = append(dst, p.literal...)
		case p.rest:
			dst = appendLevels(dst, v[p.slot], p.escape, separator)
		default:
			dst = p.escape.appendEscaped(dst, v[p.slot])
		}
	}
	return dst
}

// appendLevels appends each part of s as a level.
func appendLevels(dst []byte, s string, e escaping, separator byte) []byte {
	for {
		i := strings.IndexByte(s, separator)
		if i < 0 {
			return e.appendEscaped(dst, s)
		}
		dst = append(e.appendEscaped(dst, s[:i]), '/')
		s, e.start = s[i+1:], false
	}
}

// expand makes the text of v, as captured, without escaping.
func expand(pieces []piece, v *values) string {
	if len(pieces) == 1 {
		if p := &pieces[0]; p.slot == anonymous {
			return p.literal
		}
		return v[pieces[0].slot]
	}
	var b strings.Builder
	for i := range pieces {
		if p := &pieces[i]; p.slot == anonymous {
			b.WriteString(p.literal)
		} else {
			b.WriteString(v[p.slot])
		}
	}
	return b.String()
}
