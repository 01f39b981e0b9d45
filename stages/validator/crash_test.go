package validator

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// crashEnv names the directory into which a process of the test writes until it is
// killed.
const crashEnv = "VALIDATOR_TEST_CRASH"

// crashing writes batch after batch, and prints the number of each that is done, in a
// process that is to be killed. It returns false in all others.
func crashing() bool {
	dir := os.Getenv(crashEnv)
	if dir == "" {
		return false
	}
	c := DefaultConfig()
	c.Path, c.Expect = dir, truth(&watched{})
	s, err := newSink(c, feed.StageEnv{Logger: quiet}, time.Now)
	for n := 1; err == nil; n++ {
		err = s.PublishBatch(context.Background(), feed.NewBatch(messages(every(time.Millisecond, fmt.Sprint("device", n), noon, 200)...)...))
		fmt.Println(n)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
	return true
}

// TestKilled: what was acknowledged before a process was killed is there, whole
// batches only, and the next process goes on.
func TestKilled(t *testing.T) {
	dir, done := t.TempDir(), map[string]int{}
	for round := range 3 {
		p := exec.CommandContext(t.Context(), os.Args[0])
		p.Env = append(os.Environ(), crashEnv+"="+dir)
		out, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.Stderr = os.Stderr
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		last := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if last, err = strconv.Atoi(strings.TrimSpace(lines.Text())); err != nil {
				t.Error(err)
			}
			if last == 20+7*round {
				if err := p.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := p.Wait(); err == nil {
			t.Fatal("the process was not killed")
		}
		if last < 20 {
			t.Fatalf("the process ended after %d batches", last)
		}
		r := newRig(t, func(c *Config) { c.Path = dir })
		counts := map[string]int{}
		for _, x := range observed(t, r) {
			counts[x.Device]++
		}
		for n := 1; n <= last; n++ {
			device := fmt.Sprint("device", n)
			if done[device] += 200; counts[device] < done[device] {
				t.Errorf("round %d: of %s %d readings are there, and %d were acknowledged", round, device, counts[device], done[device])
			}
		}
		for device, n := range counts {
			if n%200 != 0 {
				t.Errorf("round %d: %s has %d readings: a batch is there in part", round, device, n)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// observed reads all that a sink keeps.
func observed(t testing.TB, r *rig) (all []validate.Record) {
	t.Helper()
	err := (&side{store: r.kept.Load().store}).Read(t.Context(), validate.Query{From: noon.AddDate(-10, 0, 0), To: noon.AddDate(10, 0, 0)}, func(p validate.Page) error {
		all = append(all, p.Records...)
		for _, u := range p.Unreadable {
			t.Errorf("%s cannot be read: %v", u.Place, u.Err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
