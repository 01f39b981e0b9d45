package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// checkFiles refuses a stage that writes to the file of the quarantine, or to one
// that a stage of another kind writes to: each would find what it does not know.
// Stages of one kind may share a file.
func (d *decoder) checkFiles(c *Config) {
	owners := map[string]string{}
	if path, err := filepath.Abs(c.Quarantine.Path); c.Quarantine.Path != "" && err == nil {
		owners[fileEndpoint(path)] = "the quarantine"
	}
	for _, r := range c.Routes {
		for _, s := range slices.Concat(r.Transforms, r.Sink) {
			for _, e := range s.writes() {
				path, isFile := strings.CutPrefix(e, fileScheme)
				if !isFile {
					continue
				}
				if owner, taken := owners[e]; taken && owner != s.Name {
					d.problem(s.key, s.path, fmt.Sprintf("writes to %s, as %s does", shorten(path), owner), "choose another path")
					continue
				}
				owners[e] = s.Name
			}
		}
	}
}

const fileScheme = "file://"

// fileEndpoint names a file as stages name theirs (see [feed.EndpointConfig]).
func fileEndpoint(path string) string { return fileScheme + filepath.ToSlash(path) }
