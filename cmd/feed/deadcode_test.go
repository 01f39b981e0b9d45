package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLinkerDropsUnusedMethods sees that nothing in the binary looks methods up
// by names that the linker cannot know, as text/template does. With that it
// keeps all exported methods of all types: a quarter more binary, and memory.
func TestLinkerDropsUnusedMethods(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary, which -short does without")
	}
	binary := filepath.Join(t.TempDir(), "feed")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	symbols, err := exec.CommandContext(t.Context(), "go", "tool", "nm", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, culprit := range []string{"text/template.(*state).evalField", "reflect.(*rtype).Methods"} {
		for line := range strings.Lines(string(symbols)) {
			if strings.HasSuffix(strings.TrimSpace(line), " "+culprit) {
				t.Errorf("the binary holds %s: find who needs it with go build -ldflags=-dumpdep, and -v=2 for methods that are named", culprit)
			}
		}
	}
}
