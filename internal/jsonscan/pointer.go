package jsonscan

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// The limits of a set of pointers.
const (
	MaxPointers = 64 // in a set
	MaxLevels   = 64 // of a pointer
)

// Mask names pointers of a set: bit i stands for the pointer with number i.
type Mask uint64

// Bit returns the mask of the pointer with the given number.
func Bit(number int) Mask { return 1 << number }

// number returns the lowest number in m.
func (m Mask) number() int { return bits.TrailingZeros64(uint64(m)) }

// Numbers calls yield with each number in m, the lowest first.
func (m Mask) Numbers(yield func(int) bool) {
	for ; m != 0; m &= m - 1 {
		if !yield(m.number()) {
			return
		}
	}
}

// Pointers is a set of JSON Pointers (RFC 6901). The zero value is empty. Once
// all are added it is safe for concurrent use.
type Pointers struct {
	root  node
	texts []string
}

// node is where one pointer or more pass through or end.
type node struct {
	token    string
	index    int  // the token as the index of an array, or -1
	through  Mask // pointers that end here or below
	here     Mask // the pointer that ends here
	children []*node
}

// Len returns how many pointers there are.
func (p *Pointers) Len() int { return len(p.texts) }

// Text returns the pointer with the given number.
func (p *Pointers) Text(number int) string { return p.texts[number] }

// Add adds a pointer and returns its number; equal pointers have one number.
func (p *Pointers) Add(pointer string) (int, error) {
	if number := slices.Index(p.texts, pointer); number >= 0 {
		return number, nil
	}
	tokens, err := parsePointer(pointer)
	if err != nil {
		return 0, err
	}
	if len(p.texts) == MaxPointers {
		return 0, fmt.Errorf("there are more than %d different pointers", MaxPointers)
	}
	number := len(p.texts)
	p.texts = append(p.texts, pointer)
	n := &p.root
	n.through |= Bit(number)
	for _, token := range tokens {
		at := slices.IndexFunc(n.children, func(c *node) bool { return c.token == token })
		if at < 0 {
			at = len(n.children)
			n.children = append(n.children, &node{token: token, index: arrayIndex(token)})
		}
		n = n.children[at]
		n.through |= Bit(number)
	}
	n.here = Bit(number)
	return number, nil
}

var (
	escapes   = strings.NewReplacer("~0", "~", "~1", "/")
	noEscapes = strings.NewReplacer("~0", "", "~1", "")
)

// parsePointer returns the tokens of a pointer.
func parsePointer(s string) ([]string, error) {
	if s == "" {
		return nil, nil // the whole text
	}
	if s[0] != '/' {
		return nil, errors.New("a JSON Pointer begins with /")
	}
	tokens := strings.Split(s[1:], "/")
	if len(tokens) > MaxLevels {
		return nil, fmt.Errorf("the pointer has %d levels, more than %d", len(tokens), MaxLevels)
	}
	for i, token := range tokens {
		if strings.Contains(noEscapes.Replace(token), "~") {
			return nil, errors.New("in the names of a JSON Pointer ~ is written ~0, and / is written ~1")
		}
		tokens[i] = escapes.Replace(token)
	}
	return tokens, nil
}

// arrayIndex returns the index that a token is in an array, or -1.
func arrayIndex(token string) int {
	i, err := strconv.Atoi(token)
	if err != nil || strconv.Itoa(i) != token {
		return -1
	}
	return i
}

// member returns the child that the member with the given raw name leads to,
// if it leads to anything that is wanted.
func (n *node) member(raw []byte, escaped bool, want Mask) *node {
	if escaped {
		var buf [64]byte
		raw = appendUnescaped(buf[:0], raw)
	}
	for _, c := range n.children {
		if c.token == string(raw) && c.through&want != 0 {
			return c
		}
	}
	return nil
}

// element returns the child that the element at index leads to, likewise.
func (n *node) element(index int, want Mask) *node {
	for _, c := range n.children {
		if c.index == index && c.through&want != 0 {
			return c
		}
	}
	return nil
}
