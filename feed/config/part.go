package config

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// part says which keys of a file are read: who wants no more of it needs not the
// addresses and secrets of the rest.
type part int

const (
	partAll        part = iota
	partTests           // the tests, and the transforms of the routes
	partPlugins         // the plugins
	partValidation      // what is compared, and the ledger that explains it
)

// of returns a mapping with those keys of root that the part has, in the order of
// the file.
func (p part) of(root *yaml.Node) *yaml.Node {
	if p == partAll || root.Kind != yaml.MappingNode {
		return root
	}
	var keys []string
	switch p {
	case partTests:
		keys = []string{"routes", "tests"}
	case partPlugins:
		keys = []string{"plugins"}
	case partValidation:
		keys = []string{"name", "log", "ledger", "validate"}
	}
	some := *root
	some.Content = nil
	for _, e := range entries(root, nil) {
		if slices.Contains(keys, e.name) {
			some.Content = append(some.Content, e.key, e.value)
		}
	}
	return &some
}
