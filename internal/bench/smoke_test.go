package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv"
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

// openStand returns a stand that is closed when the test ends.
func openStand(ctx context.Context, t *testing.T) *stand {
	t.Helper()
	root, err := moduleRoot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStand(ctx, root, t.TempDir(), &progress{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestBench runs the whole bench with few messages: figures mean nothing then,
// but all programs and servers work together, and all messages arrive.
func TestBench(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real servers: not with -short")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	s := openStand(ctx, t)
	t.Run("paths", func(t *testing.T) { testPaths(ctx, t, s) })
	t.Run("flat", func(t *testing.T) { testFlat(ctx, t, s) })
}

// likeOthers reports whether a path has nothing that others have not or, unless
// the run is long, little.
func likeOthers(p path) bool {
	return slices.Contains(testenv.Amount([]string{"mqtt-json", "both", "blob", "unbatch"}, []string{"mqtt-json", "both"}), p.name)
}

func testPaths(ctx context.Context, t *testing.T, s *stand) {
	const n = 3000
	o := options{
		load: load{messages: n, payloadBytes: 300, devices: 50}, pairs: 1, paths: slices.DeleteFunc(paths(), likeOthers),
		rate: 500, runIn: 500 * time.Millisecond, measured: time.Second,
	}
	var out strings.Builder
	results, err := measureAll(ctx, s, o, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if len(r.pairs) != 1 {
			t.Errorf("%s: %d pairs", r.path.name, len(r.pairs))
		}
		for _, p := range r.pairs {
			for name, m := range map[string]measurement{"feed": p.feed, "baseline": p.baseline} {
				if want := map[bool]int{false: n, true: 500}[r.path.steady]; m.messages != want || m.cpu+m.startCPU <= 0 || m.elapsed <= 0 || m.peak.own < 1<<20 || m.peak.rss <= m.peak.own {
					t.Errorf("%s, %s: %+v", r.path.name, name, m)
				}
				if (m.childrenPeak.own > 0) != (r.path.inPlugin && name == "feed") || (m.startCPU > 0) != r.path.inPlugin {
					t.Errorf("%s, %s: %+v", r.path.name, name, m)
				}
				if l := m.latency; r.path.steady != (0 < l.p50 && l.p50 <= l.p99 && l.p99 <= l.max) {
					t.Errorf("%s, %s: latency %+v", r.path.name, name, l)
				}
			}
		}
	}
	begin, err := measureStartup(ctx, s, 2, &out)
	if err != nil {
		t.Fatal(err)
	}
	if len(begin.ready) != 2 || begin.ready[0] <= 0 || len(begin.lint) != 2 || begin.lint[0] <= 0 || begin.binary < begin.stripped || begin.stripped < 1<<20 {
		t.Errorf("start: %+v", begin)
	}
	t.Log("\n" + out.String())
	if m := describe(ctx, s); m.cores == 0 || len(m.versions) < 3 {
		t.Errorf("machine: %+v", m)
	}
}
