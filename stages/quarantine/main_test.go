package quarantine

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
)

// childEnv makes the test binary a writer that never ends by itself.
const childEnv = "QUARANTINE_TEST_WRITE_TO"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		fmt.Fprintln(os.Stderr, writeForever(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// writeForever puts items, one after the other, and prints the number of each
// as soon as Put has returned nil.
func writeForever(path string) error {
	c := DefaultConfig()
	c.Path = path
	s, err := Open(context.Background(), c)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		item := feed.QuarantineItem{Route: "child", Reason: strconv.Itoa(i)}
		item.Payload = make([]byte, 5000)
		if err := s.Put(context.Background(), []feed.QuarantineItem{item}); err != nil {
			return err
		}
		if _, err := fmt.Println(i); err != nil {
			return err
		}
	}
}
