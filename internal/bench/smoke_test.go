package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
)

// awaitFile waits until a file that another process writes is there.
func awaitFile(ctx context.Context, path string) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		data, err := os.ReadFile(path)
		if err == nil && len(data) > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}

// TestBench runs the whole bench with few messages: figures mean nothing then,
// but all programs and servers work together, and all messages arrive.
func TestBench(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real servers: not with -short")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	root, err := moduleRoot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStand(ctx, root, t.TempDir(), &progress{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	const n = 3000
	var out strings.Builder
	results, err := measureAll(ctx, s, options{messages: n, pairs: 1, paths: paths()}, &out)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out.String())
	for _, r := range results {
		for _, p := range r.pairs {
			for name, m := range map[string]measurement{"feed": p.feed, "loop": p.loop} {
				if m.messages != n || m.cpu <= 0 || m.elapsed <= 0 || m.peakRSS < 1<<20 {
					t.Errorf("%s, %s: %+v", r.path.name, name, m)
				}
			}
		}
	}
	if m := describe(ctx, s); m.cores == 0 || len(m.versions) < 3 {
		t.Errorf("machine: %+v", m)
	}
}
