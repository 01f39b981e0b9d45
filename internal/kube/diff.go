package kube

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// A Difference is an object that two renderings do not have alike.
type Difference struct {
	ID   string
	From *Object // nil when it is new
	To   *Object // nil when it is gone
}

// Diff compares two renderings object by object. It returns what differs in the order of the first rendering, and after that
// what only the second has. A ConfigMap or Secret whose name differs by the hash alone, which kustomize makes of what is in
// it, is the same object.
func Diff(from, to []Object) []Difference {
	left, right := byName(from), byName(to)
	var all []Difference
	for i := range from {
		name := sameName(from[i])
		if other := right[name]; other == nil || !bytes.Equal(from[i].YAML, other.YAML) {
			all = append(all, Difference{ID: name, From: &from[i], To: other})
		}
	}
	for i := range to {
		if name := sameName(to[i]); left[name] == nil {
			all = append(all, Difference{ID: name, To: &to[i]})
		}
	}
	return all
}

func byName(all []Object) map[string]*Object {
	objects := map[string]*Object{}
	for i := range all {
		objects[sameName(all[i])] = &all[i]
	}
	return objects
}

var hash = regexp.MustCompile(`-[0-9a-z]{10}$`)

// sameName is an object's ID, without a hash.
func sameName(o Object) string {
	if o.APIVersion == "v1" && (o.Kind == "ConfigMap" || o.Kind == "Secret") {
		o.Name = hash.ReplaceAllString(o.Name, "")
	}
	return o.ID()
}

// Write writes the difference as a unified diff with three lines of context.
func (d Difference) Write(w io.Writer) error {
	unified := difflib.UnifiedDiff{FromFile: "/dev/null", ToFile: "/dev/null", Context: 3}
	if d.From != nil {
		unified.FromFile, unified.A = d.From.ID(), slices.Collect(strings.Lines(string(d.From.YAML)))
	}
	if d.To != nil {
		unified.ToFile, unified.B = d.To.ID(), slices.Collect(strings.Lines(string(d.To.YAML)))
	}
	if err := difflib.WriteUnifiedDiff(w, unified); err != nil {
		return fmt.Errorf("%s: %w", d.ID, err)
	}
	return nil
}
