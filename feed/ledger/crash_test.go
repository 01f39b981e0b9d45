package ledger

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// crashDir names in the environment the directory of a process that is to be killed.
const crashDir = "LEDGER_CRASH_DIR"

// writeUntilKilled records messages, and says on standard output how many of them a
// reader has to find.
func writeUntilKilled(dir string) error {
	l, err := Open(Config{Path: dir, MaxBytes: 64 * feed.MiB})
	if err != nil {
		return err
	}
	hop := &feed.Hop{Feed: "crash", Route: "r"}
	random := rand.New(rand.NewPCG(1, 2)) // nothing is left of what can be compressed well
	for i := 0; ; {
		batch := make([]feed.Ended, 500)
		for j := range batch {
			batch[j] = feed.Ended{ID: fmt.Sprint("message-", i), DeliveryID: fmt.Sprint(random.Uint64()), Outcome: feed.Delivered, Received: time.Unix(int64(i), 0), Done: time.Unix(int64(i), 0), Tag: uint64(i)}
			i++
		}
		l.Record(hop, batch)
		if l.Figures().Lost > 0 {
			return fmt.Errorf("records were lost: %+v", l.Figures())
		}
		fmt.Println(l.Figures().Bytes, i)
	}
}

// TestKilledProcess kills a process that writes, twice in the same directory: what
// is there begins with the first record of each life, has no hole, and only what
// waited is missing.
func TestKilledProcess(t *testing.T) {
	dir := t.TempDir()
	for life := 1; life <= 2; life++ {
		const leastRecord = 25 // bytes
		recorded := killWriter(t, dir)
		found, err := Find(t.Context(), dir, Query{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		n, runs := 0, 0
		seen := map[string]int{}
		for _, e := range found.Entries {
			seen[e.ID]++
		}
		for seen[fmt.Sprint("message-", n)] > 0 {
			if seen[fmt.Sprint("message-", n)] == life {
				runs++
			}
			n++
		}
		if n != len(seen) || n == 0 || runs == 0 {
			t.Errorf("life %d: %d records without a hole, %d different ones, %d in all lives", life, n, len(seen), runs)
		}
		// What waits is at most the blocks of the queue and the one that is gathered.
		if most := (waiting + 3) * blockBytes; (recorded-n)*leastRecord > most {
			t.Errorf("life %d: %d of %d records are there: more than what waits is missing", life, n, recorded)
		}
		t.Logf("life %d: %d of %d records are there, %d bytes are no whole block", life, n, recorded, found.Unreadable)
	}
}

// killWriter kills a process once it has written a few blocks, and returns how many
// records it had made.
func killWriter(t *testing.T, dir string) (recorded int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), crashDir+"="+dir), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := int64(-1)
	for s := bufio.NewScanner(out); s.Scan(); {
		var bytes int64
		if _, err := fmt.Sscan(s.Text(), &bytes, &recorded); err != nil {
			break // the last line is cut
		}
		if first < 0 {
			first = bytes
		}
		if bytes > first+200_000 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			first = 1 << 62
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Success() || first < 1<<62 {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return recorded
}
