package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPin writes what "sha256sum --check" takes.
func TestPin(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(plugin, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pin(plugin); err != nil {
		t.Fatal(err)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "SHA256SUMS")
	check.Dir = filepath.Dir(plugin)
	if out, err := check.CombinedOutput(); err != nil || string(out) != "plugin: OK\n" {
		t.Errorf("%s: %v", out, err)
	}
}

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
