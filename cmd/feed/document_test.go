package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var block = regexp.MustCompile("(?ms)^```(yaml|console)\n(.*?)^```$")

// examplesOf makes a script of the examples in a document: the files that begin
// with their name, a lint of each that is of a feed, and the commands with what
// they print. An ellipsis stands for anything within a line, and alone on a line
// for any lines; a command that ends with & goes on beside the others.
func examplesOf(t *testing.T, doc string) (commands, files string) {
	t.Helper()
	var script, named strings.Builder
	for _, b := range block.FindAllStringSubmatch(doc, -1) {
		if b[1] == "yaml" {
			first, rest, _ := strings.Cut(b[2], "\n")
			name, ok := strings.CutPrefix(first, "# ")
			if !ok {
				t.Fatalf("an example does not begin with the name of its file:\n%s", b[2])
			}
			fmt.Fprintf(&named, "-- %s --\n%s", name, rest)
			if !strings.HasPrefix(rest, "apiVersion:") {
				fmt.Fprintf(&script, "exec feed lint %s\n! stderr .\n", name)
			}
			continue
		}
		for line := range strings.SplitSeq(b[2], "\n") {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				if beside, ok := strings.CutSuffix(command, " &"); ok {
					fmt.Fprintf(&script, "exec %s &\n", beside)
				} else {
					fmt.Fprintf(&script, "exec sh -c '%s'\n", strings.ReplaceAll(command, "'", "''"))
				}
			} else if strings.Trim(line, "… ") != "" {
				fmt.Fprintf(&script, "stdout '%s'\n", strings.ReplaceAll(pattern(line), "'", "''"))
			}
		}
	}
	return script.String(), named.String()
}

// pattern matches a line of the document: it may be indented, and columns may be
// wider.
func pattern(line string) string {
	p := regexp.QuoteMeta(line)
	p = regexp.MustCompile(` {2,}`).ReplaceAllString(p, ` +`)
	return "^ *" + strings.ReplaceAll(p, "…", ".*") + "$"
}
