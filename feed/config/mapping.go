package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// entry is a key of a YAML mapping with its value.
type entry struct {
	name  string
	key   *yaml.Node
	value *yaml.Node
}

// resolve follows an alias. A node that contains itself ends at maxDepth.
func resolve(n *yaml.Node) *yaml.Node {
	for range maxDepth {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

// isNull reports whether a key was written without a value.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// reporter gets what is wrong with a mapping: where, at which key, and why.
type reporter func(n *yaml.Node, name, reason, remedy string)

// entries lists the keys of a mapping, in order, with those that it merges
// from elsewhere (<<) after its own. report may be nil.
func entries(n *yaml.Node, report reporter) []entry {
	if report == nil {
		report = func(*yaml.Node, string, string, string) {}
	}
	m := merger{report: report, names: map[string]bool{}, visited: map[*yaml.Node]bool{}}
	m.merge(n)
	return m.entries
}

// merger collects the keys of a mapping and of those that it merges. It visits
// each mapping once: what comes first holds, so that a second visit, or a
// mapping that merges itself, adds nothing.
type merger struct {
	report  reporter
	entries []entry
	names   map[string]bool
	visited map[*yaml.Node]bool
}

func (m *merger) merge(n *yaml.Node) {
	if m.visited[n] {
		return
	}
	m.visited[n] = true
	own := map[string]*yaml.Node{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			m.report(n.Content[i], "", "a key must be text", "")
			continue
		}
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		if at := own[key.Value]; at != nil {
			m.report(n.Content[i], key.Value, fmt.Sprintf("the key stands here a second time, the first is in line %d", at.Line), "keep one of them")
			continue
		}
		own[key.Value] = key
		if !m.names[key.Value] {
			m.names[key.Value] = true
			m.entries = append(m.entries, entry{key.Value, n.Content[i], value})
		}
	}
	for _, value := range merges {
		m.mergeAll(value)
	}
}

// mergeAll merges the mapping, or the list of mappings, that << names.
func (m *merger) mergeAll(value *yaml.Node) {
	targets := []*yaml.Node{value}
	if list := resolve(value); list.Kind == yaml.SequenceNode {
		targets = list.Content
	}
	for _, target := range targets {
		mapping := resolve(target)
		if mapping.Kind != yaml.MappingNode {
			m.report(target, "<<", "only mappings can be merged", "write <<: *name")
			continue
		}
		m.merge(mapping)
	}
}
