package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestCloudAPIDocument: docs/cloud-api.md tells of each flag.
func TestCloudAPIDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/cloud-api.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := initializeCLI(streams{strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`(?m)^ +(--[a-z-]+)`).FindAllStringSubmatch(c.simulateAPI().Flags().FlagUsages(), -1)
	if len(flags) < 15 {
		t.Fatalf("flags %v", flags)
	}
	for _, f := range flags {
		if !regexp.MustCompile(f[1] + "[` ]").Match(doc) {
			t.Errorf("nothing is said of %s", f[1])
		}
	}
}
