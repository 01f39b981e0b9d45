package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
)

// consequences tells which complaints of a stage's Validate only follow from
// what could not be decoded.
type consequences struct {
	// wrong are the keys that could not be decoded, or that a misspelt key was
	// meant to be.
	wrong map[string]bool
	// elements are those of lists that hold such a key: the rest of an element
	// is judged when it is whole.
	elements []string
	// lasting are the complaints that stay when the wrong values are there.
	lasting map[string]bool
}

// consequencesOf looks at what could not be decoded of a stage. It may change
// the stage's settings, which are not used after a problem.
func consequencesOf(s *Stage, decoding []Problem, meant []string) consequences {
	c := consequences{wrong: map[string]bool{}}
	for _, key := range meant {
		c.wrong[key] = true
	}
	placed := false
	for _, p := range decoding {
		c.wrong[p.Key] = true
		if element, ok := elementOf(s.path, p.Key); ok {
			c.elements = append(c.elements, element)
		}
		if own, ok := strings.CutPrefix(p.Key, s.path+"."); ok {
			v, found := fieldAt(reflect.ValueOf(s.Config).Elem(), own)
			placed = found && setSomething(v) || placed
		}
	}
	if placed {
		c.lasting = map[string]bool{}
		for _, err := range flatten(s.Config.Validate()) {
			c.lasting[complaint(err)] = true
		}
	}
	return c
}

// follows reports whether a complaint about key, below the stage's path, is
// such a consequence.
func (c consequences) follows(key string, err error) bool {
	return c.wrong[key] || c.lasting != nil && !c.lasting[complaint(err)] ||
		slices.ContainsFunc(c.elements, func(e string) bool { return strings.HasPrefix(key, e) })
}

// elementOf returns the path of the innermost element of a list that a key is
// in, such as "routes.a.transforms[0].bridge.rules[1]".
func elementOf(path, key string) (string, bool) {
	own, ok := strings.CutPrefix(key, path)
	end := strings.LastIndexByte(own, ']')
	if !ok || end < 0 {
		return "", false
	}
	return path + own[:end+1], true
}

// complaint identifies what Validate says.
func complaint(err error) string {
	if ce := (*feed.ConfigError)(nil); errors.As(err, &ce) {
		return ce.Key
	}
	return err.Error()
}
