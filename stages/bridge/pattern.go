package bridge

import (
	"errors"
	"fmt"
	"strings"
)

// anonymous is the slot of a capture without a name.
const anonymous = -1

// values are what a rule captured, by slot.
type values [maxNames]string

// names are the captures of one rule.
type names struct {
	key   string            // of the configuration, whose pattern is being read
	keys  map[string]string // where each was captured
	slots map[string]int
	rest  string          // the name that stands for several parts, or ""
	used  map[string]bool // by a template
}

func newNames() *names {
	return &names{keys: map[string]string{}, slots: map[string]int{}, used: map[string]bool{}}
}

// add gives name the next slot. The empty name is anonymous.
func (n *names) add(name string) (int, error) {
	if name == "" {
		return anonymous, nil
	}
	if _, ok := n.slots[name]; ok {
		return 0, fmt.Errorf("captures {%s} a second time: give each part a name of its own", name)
	}
	if len(n.slots) == maxNames {
		return 0, fmt.Errorf("captures more than %d names: write * for parts that are not needed", maxNames)
	}
	n.keys[name] = n.key
	n.slots[name] = len(n.slots)
	return n.slots[name], nil
}

// markWords marks the names that an expression may use which cannot be read.
func (n *names) markWords(expression string) {
	for _, word := range strings.FieldsFunc(expression, func(r rune) bool { return !isName("_" + string(r)) }) {
		if _, ok := n.slots[word]; ok {
			n.used[word] = true
		}
	}
}

// text is the pattern of one part, header or field: literals[0], a capture,
// literals[1], a capture, …, literals[n]. All literals but the first and the
// last are non-empty.
type text struct {
	literals []string
	slots    []int // one fewer than literals
}

// literal returns the text that p stands for when it captures nothing.
func (p *text) literal() (string, bool) { return p.literals[0], len(p.slots) == 0 }

// any reports whether p matches every text.
func (p *text) any() bool {
	return len(p.slots) == 1 && p.literals[0] == "" && p.literals[1] == ""
}

// match reports whether p matches s, and captures. Each capture but the last
// is as short as it can be, so that there is one way to match.
func (p *text) match(s string, v *values) bool {
	last := len(p.slots)
	if last == 0 {
		return s == p.literals[0]
	}
	s, ok := strings.CutPrefix(s, p.literals[0])
	if !ok {
		return false
	}
	if s, ok = strings.CutSuffix(s, p.literals[last]); !ok {
		return false
	}
	for i, slot := range p.slots {
		value := s
		if i+1 < last {
			if value, s, ok = strings.Cut(s, p.literals[i+1]); !ok {
				return false
			}
		}
		if slot != anonymous {
			v[slot] = value
		}
	}
	return true
}

// key is the pattern of a routing key.
type key struct {
	parts []text
	// rest: one or more further parts follow, captured in restSlot as they
	// stand, with their separators.
	rest     bool
	restSlot int
}

// match reports whether k matches the routing key s, which has the given
// parts, and captures.
func (k *key) match(s string, parts []string, v *values) bool {
	if k.rest {
		if len(parts) <= len(k.parts) {
			return false
		}
	} else if len(parts) != len(k.parts) {
		return false
	}
	at := 0
	for i := range k.parts {
		if !k.parts[i].match(parts[i], v) {
			return false
		}
		at += len(parts[i]) + 1
	}
	if k.rest && k.restSlot != anonymous {
		v[k.restSlot] = s[at:]
	}
	return true
}

// appendParts appends the parts of s to dst. The empty key has one, empty part.
func appendParts(dst []string, s string, separator byte) []string {
	for {
		i := strings.IndexByte(s, separator)
		if i < 0 {
			return append(dst, s)
		}
		dst = append(dst, s[:i])
		s = s[i+1:]
	}
}

// parseKey reads the pattern of a routing key.
func parseKey(s string, separator byte, n *names) (key, error) {
	if s == "" {
		return key{}, errors.New("is missing: write a pattern of the routing key, such as telemetry.{device}.{tag}, or {...}, which matches any")
	}
	var k key
	for more := true; more; {
		var part string
		part, s, more = cutPart(s, separator)
		if name, ok := restName(part); ok {
			if more {
				return key{}, fmt.Errorf("%s stands for all parts that remain and must be the last part", part)
			}
			if name != "" && !isName(name) {
				return key{}, badName(name)
			}
			slot, err := n.add(name)
			if err != nil {
				return key{}, err
			}
			n.rest = name
			k.rest, k.restSlot = true, slot
			return k, nil
		}
		if part == "+" {
			return key{}, errors.New("+ has no meaning here: write {name} for one part, or * without a name")
		}
		p, err := parseText(part, n)
		if err != nil {
			return key{}, err
		}
		k.parts = append(k.parts, p)
	}
	return k, nil
}

// cutPart cuts s at the first separator that is outside of braces.
func cutPart(s string, separator byte) (part, rest string, more bool) {
	inBraces := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '{':
			inBraces = true
		case s[i] == '}':
			inBraces = false
		case s[i] == separator && !inBraces:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// parseText reads the pattern of one part, header or field.
func parseText(s string, n *names) (text, error) {
	var p text
	var lit strings.Builder
	capture := func(name string) error {
		if lit.Len() == 0 && len(p.slots) > 0 {
			return errors.New("two captures touch each other: put text between them")
		}
		slot, err := n.add(name)
		if err != nil {
			return err
		}
		p.literals = append(p.literals, lit.String())
		p.slots = append(p.slots, slot)
		lit.Reset()
		return nil
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '*':
			if err := capture(""); err != nil {
				return text{}, err
			}
		case '#':
			return text{}, errors.New("# has no meaning here: write {...} as the last part for all parts that remain")
		case '{':
			name, next, err := cutName(s, i)
			if err != nil {
				return text{}, err
			}
			if _, ok := restName(s[i:next]); ok {
				return text{}, fmt.Errorf("%s must stand alone as the last part of a routing key", s[i:next])
			}
			if !isName(name) {
				return text{}, badName(name)
			}
			if err := capture(name); err != nil {
				return text{}, err
			}
			i = next - 1
		case '}':
			return text{}, errors.New("a } stands without its {")
		default:
			lit.WriteByte(s[i])
		}
	}
	p.literals = append(p.literals, lit.String())
	return p, nil
}

// cutName returns what is between the braces that open at s[i], and the index
// after them.
func cutName(s string, i int) (name string, next int, err error) {
	end := strings.IndexByte(s[i:], '}')
	if end < 0 {
		return "", 0, errors.New("a { is never closed")
	}
	return s[i+1 : i+end], i + end + 1, nil
}

// restName returns the name of {name...}.
func restName(s string) (string, bool) {
	inner, ok := strings.CutPrefix(s, "{")
	if !ok {
		return "", false
	}
	inner, ok = strings.CutSuffix(inner, "...}")
	if !ok || strings.ContainsAny(inner, "{}") {
		return "", false
	}
	return inner, true
}

func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func badName(name string) error {
	return fmt.Errorf("%q is no name: write letters, digits and _, beginning with a letter", name)
}

func isPatternSyntax(c byte) bool { return strings.IndexByte("{}*#", c) >= 0 }
