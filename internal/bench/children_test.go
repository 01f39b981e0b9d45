package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestContenderIsMeasuredWithItsChildren(t *testing.T) {
	// The child burns CPU time before it writes the file; the parent waits for it
	// when it is told to end.
	done := t.TempDir() + "/done"
	c := shell(`echo hello; /bin/sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo > "$0"; exec sleep 60' "$0" & trap 'kill $!; wait; exit 0' TERM; while :; do sleep 0.01; done`)
	c.args, c.parent = append(c.args, done), true
	m, err := c.run(t.Context(), func(ctx context.Context, _ int) error { return awaitFile(ctx, done) })
	if err != nil {
		t.Fatal(err)
	}
	if m.cpu < 50*time.Millisecond || m.childrenPeak.rss <= 0 {
		t.Errorf("got %+v", m)
	}
}

func TestContenderWithoutTheChildItIsToHave(t *testing.T) {
	done := t.TempDir() + "/done"
	c := shell(`trap 'exit 0' TERM; echo hello; echo > "$0"; while :; do :; done`)
	c.args, c.parent = append(c.args, done), true
	_, err := c.run(t.Context(), func(ctx context.Context, _ int) error { return awaitFile(ctx, done) })
	if err == nil || !strings.Contains(err.Error(), "none was seen") {
		t.Errorf("got %v", err)
	}
}

// TestChildrenThatAreNotWaitedFor fails rather than leaves them out: what the
// kernel says of the parent then is not the whole.
func TestChildrenThatAreNotWaitedFor(t *testing.T) {
	c := children{parentCPU: time.Second, seen: map[int]child{7: {cpu: 300 * time.Millisecond, peak: memory{rss: 5}}, 8: {cpu: 200 * time.Millisecond, peak: memory{rss: 6}}}}
	if err := c.counted(1500 * time.Millisecond); err != nil || c.peak().rss != 11 {
		t.Errorf("%v, %d bytes", err, c.peak().rss)
	}
	if err := c.counted(1499 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "1.499s of 1.5s altogether") {
		t.Errorf("got %v", err)
	}
}
