package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// locate finds the node of a dotted key such as "tls.caFile" or
// "rules[2].topic" below n. When a part of the path is not in the file it
// returns the deepest one that is, and false.
func locate(n *yaml.Node, key string) (_ *yaml.Node, exact bool) {
	at, _, exact := walk(n, key)
	return at, exact
}

// value finds what a dotted key is set to below n.
func value(n *yaml.Node, key string) (_ *yaml.Node, exact bool) {
	_, v, exact := walk(n, key)
	return v, exact
}

// walk follows a dotted key as far as there are keys, and returns the node that
// names the last, and its value.
func walk(n *yaml.Node, key string) (at, _ *yaml.Node, exact bool) {
	at = n
	for _, segment := range segments(key) {
		n = resolve(n)
		switch n.Kind {
		case yaml.MappingNode:
			e, ok := find(n, segment)
			if !ok {
				return at, n, false
			}
			at, n = e.key, e.value
		case yaml.SequenceNode:
			i, err := strconv.Atoi(segment)
			if err != nil || i < 0 || i >= len(n.Content) {
				return at, n, false
			}
			n = n.Content[i]
			at = n
		default:
			return at, n, false
		}
	}
	return at, resolve(n), true
}

// find returns the entry of a mapping with the given name.
func find(n *yaml.Node, name string) (entry, bool) {
	if n = resolve(n); n.Kind != yaml.MappingNode {
		return entry{}, false
	}
	for _, e := range entries(n, nil) {
		if e.name == name {
			return e, true
		}
	}
	return entry{}, false
}

// segments splits a dotted key. Brackets hold an index or a quoted name.
func segments(key string) []string {
	var out []string
	for key != "" {
		switch key[0] {
		case '.':
			key = key[1:]
		case '[':
			end := strings.IndexByte(key, ']')
			if end < 0 {
				return append(out, key[1:])
			}
			inside := key[1:end]
			if text, err := strconv.Unquote(inside); err == nil {
				inside = text
			}
			out, key = append(out, inside), key[end+1:]
		default:
			end := strings.IndexAny(key, ".[")
			if end < 0 {
				end = len(key)
			}
			out, key = append(out, key[:end]), key[end:]
		}
	}
	return out
}
