package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleaseFlags holds the bench to what is released.
func TestReleaseFlags(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	want := "CGO_ENABLED=0 go build " + strings.Join(releaseFlags, " ") + " -o bin/feed " + feedSource + "\n"
	if !strings.Contains(string(makefile), "\t"+want) {
		t.Errorf("the Makefile does not build the feed with\n%s", want)
	}
}
