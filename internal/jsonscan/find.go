package jsonscan

// Find looks for the pointers in want and puts what they point at into found,
// by number; found must be as long as the set, and zero. What is not
// there, and null, objects and arrays, stay zero. Of members
// with the same name the first counts.
//
// Find reads from the beginning to the value that decides the last pointer and
// the delimiter after it, or else to the end. An error, always a
// [*SyntaxError], says that this much is no JSON; the rest is not looked at.
// Bytes in strings that are no UTF-8 are let pass.
func (p *Pointers) Find(b []byte, want Mask, found []Span) error {
	s := scanner{b: b, want: want, found: found}
	i := s.pointed(s.space(0), 1, &p.root)
	if i >= 0 {
		if i = s.space(i); i < len(b) {
			s.fail(i, trailing)
		}
	}
	if s.problem != none {
		return &SyntaxError{Offset: s.failedAt, Problem: problems[s.problem]}
	}
	return nil
}

// pointed reads the value that n stands for, and decides with it all pointers
// that pass through n.
func (s *scanner) pointed(start, depth int, n *node) int {
	s.escaped = false
	i := start
	switch {
	case len(n.children) == 0 || i >= len(s.b):
		i = s.value(i, depth)
	case s.b[i] == '{':
		i = s.members(i+1, depth, n)
	case s.b[i] == '[':
		i = s.elements(i+1, depth, n)
	default:
		i = s.value(i, depth)
	}
	if i < 0 {
		return -1
	}
	if n.here&s.want != 0 {
		switch s.b[start] {
		case '{', '[', 'n':
		case '"':
			s.found[n.here.number()] = Span{start + 1, i - 1, s.escaped}
		default:
			s.found[n.here.number()] = Span{start, i, false}
		}
	}
	s.want &^= n.through
	return i
}

// members reads an object and looks for the children of n.
func (s *scanner) members(i, depth int, n *node) int {
	if i = s.space(i); i < len(s.b) && s.b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(s.b) || s.b[i] != '"' {
			return s.fail(i, noName)
		}
		start := i + 1
		s.escaped = false
		if i = s.string(start); i < 0 {
			return -1
		}
		child := n.member(s.b[start:i-1], s.escaped, s.want)
		if i = s.space(i); i >= len(s.b) || s.b[i] != ':' {
			return s.fail(i, noColon)
		}
		i = s.space(i + 1)
		if child == nil {
			i = s.value(i, depth+1)
		} else {
			i = s.pointed(i, depth+1, child)
		}
		if i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.b) || s.b[i] != ',' && s.b[i] != '}' {
			return s.fail(i, noMemberEnd)
		}
		if s.want == 0 {
			return -1
		}
		if s.b[i] == '}' {
			return i + 1
		}
		i = s.space(i + 1)
	}
}

// elements reads an array and looks for the children of n.
func (s *scanner) elements(i, depth int, n *node) int {
	if i = s.space(i); i < len(s.b) && s.b[i] == ']' {
		return i + 1
	}
	for index := 0; ; index++ {
		if child := n.element(index, s.want); child == nil {
			i = s.value(i, depth+1)
		} else {
			i = s.pointed(i, depth+1, child)
		}
		if i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.b) || s.b[i] != ',' && s.b[i] != ']' {
			return s.fail(i, noElementEnd)
		}
		if s.want == 0 {
			return -1
		}
		if s.b[i] == ']' {
			return i + 1
		}
		i = s.space(i + 1)
	}
}
