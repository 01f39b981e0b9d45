package config

import (
	"os"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// Load reads and checks the file at path; its references are looked up in the
// process's environment. All that is wrong with the file is returned as one
// *[Error]; another error says that it could not be read.
func Load(path string, registry *feed.Registry) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, registry, os.LookupEnv)
}

// LoadSettings reads the file at path without its routes: no stage needs to be
// known, and no secret to be there, to learn where a feed's quarantine and its
// admin server are. The routes are empty.
func LoadSettings(path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, nil, os.LookupEnv)
}

// Parse checks data, which came from the named file. All that is wrong is
// returned as one *[Error]. It reads the files that ${file:…} names, and does
// no other I/O. Without a registry it leaves the routes alone.
func Parse(filename string, data []byte, registry *feed.Registry, lookupEnv func(string) (string, bool)) (*Config, error) {
	return (&decoder{file: filename, registry: registry, lookupEnv: lookupEnv}).parse(data)
}

// parse decodes and checks data.
func (d *decoder) parse(data []byte) (*Config, error) {
	d.lines = strings.Split(string(data), "\n")
	root, bad := parseDocument(d.file, data)
	if bad != nil {
		return nil, &Error{Problems: []Problem{*bad}}
	}
	c := DefaultConfig()
	c.file = d.file
	if root = resolve(root); isNull(root) {
		d.problem(root, "", "the file is empty", "write at least routes: with one route")
	} else {
		root = d.part.of(root)
		d.value(root, reflect.ValueOf(&c).Elem(), "", 0)
		d.check(&c, root)
	}
	if len(d.problems) > 0 {
		ps, more := byPosition(d.problems)
		d.redact(ps)
		return nil, &Error{Problems: ps, More: more}
	}
	c.Warnings, _ = byPosition(d.warnings)
	d.redact(c.Warnings)
	return &c, nil
}

// nodeAt returns the node of a dotted key below n, or the nearest that is
// there; fallback when none is.
func nodeAt(n *yaml.Node, key string, fallback *yaml.Node) *yaml.Node {
	at, _ := locate(n, key)
	if at == n {
		return fallback
	}
	return at
}
