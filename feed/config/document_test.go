package config

import (
	"cmp"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestDocumentIsComplete checks that docs/configuration.md has a row for each key
// outside of the stages, with the type, the default and the sentence that the
// types give, and none for a key that does not exist.
func TestDocumentIsComplete(t *testing.T) {
	raw, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := documented()
	if len(want) < 40 {
		t.Fatalf("only %d keys are checked", len(want))
	}
	known := map[string]bool{}
	for _, row := range want {
		known[row] = true
		if n := strings.Count(string(raw), row+"\n"); n != 1 {
			t.Errorf("%d times, want once:\n%s", n, row)
		}
	}
	for _, row := range got {
		if !known[row] {
			t.Errorf("no key has this row:\n%s", row)
		}
	}
}

// writtenAs says what stands in the file for keys that the types do not tell.
var writtenAs = map[string]string{
	"routes":                   "mapping of names to routes",
	"routes.NAME.source":       "stage",
	"routes.NAME.transforms":   "list of stages",
	"routes.NAME.sink":         "stage, or all: and a list of stages",
	"validate.expect":          "stage",
	"validate.observe":         "mapping of stages to their settings",
	"validate.repair.sink":     "stage, or all: and a list of stages",
	"validate.repair.from":     "mapping of places to their settings",
	"tests":                    "list of tests",
	"tests[].given":            "list of messages",
	"tests[].given[].payload":  "any value",
	"tests[].expect":           "list of messages",
	"tests[].expect[].payload": "any value",
}

// documented returns the rows of all keys outside of the stages.
func documented() []string {
	var rows []string
	add := func(keys []Key, skip func(name string) bool) {
		for _, k := range keys {
			if !skip(k.Name) {
				rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", k.Name, cmp.Or(writtenAs[k.Name], k.Type), cmp.Or(k.Default, "–"), k.Doc))
			}
		}
	}
	c, r := DefaultConfig(), defaultRoute()
	add(keysOf(reflect.ValueOf(c), "", 0), func(name string) bool { return strings.HasPrefix(name, "routes[]") })
	add(keysOf(reflect.ValueOf(r), "routes.NAME", 0), func(string) bool { return false })
	return rows
}
