package blob

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var childContext = context.Background()

// TestMain turns the binary into a child process when a test has started it as
// one.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := runChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if text := os.Getenv(childConfig); text != "" {
		if err := publishRemotely(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
