package boottest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// feedBinary is the binary that containers run, built once.
var feedBinary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "feed-boot-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	feedBinary = filepath.Join(dir, "feed")
	if !testing.Short() {
		if out, err := exec.Command("go", "build", "-o", feedBinary, "github.com/kraft-edge/datafeed/cmd/feed").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the feed: %v\n%s", err, out)
			return 1
		}
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}
