package host

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// chaosFeed is a feed whose transform runs in a plugin.
type chaosFeed struct {
	host       *Host
	queue      *feedtest.Queue
	sink       *feedtest.Sink
	quarantine *feedtest.Quarantine
	status     func() feed.Status
	ended      chan error
}

func runChaosFeed(t *testing.T, limits func(*config.PluginLimits)) *chaosFeed {
	t.Helper()
	settings := testSettings(t, script(t, filepath.Join(t.TempDir(), "acme"), "busy"))
	limits(&settings.Limits)
	c := &chaosFeed{
		host: open(t, settings), queue: &feedtest.Queue{Window: 2000}, sink: &feedtest.Sink{}, quarantine: &feedtest.Quarantine{}, ended: make(chan error, 1),
	}
	f := factory(t, c.host, feed.KindTransform)
	conf := f.NewConfig()
	conf.(config.DocumentConfig).SetDocument([]byte(`{"mark": "+"}`))
	if err := conf.Validate(); err != nil {
		t.Fatal(err)
	}
	tr, err := f.Transform(conf, feed.StageEnv{Feed: "chaos", Route: "chaos", Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	route := feed.Route{
		Name: "chaos", Source: c.queue, Transforms: []feed.Transform{tr}, Sink: c.sink, Order: feed.OrderKey,
		Batch: feed.BatchLimits{MaxMessages: 50, MaxDelay: time.Millisecond},
		Retry: feed.RetryPolicy{InitialDelay: 10 * time.Millisecond, MaxDelay: 100 * time.Millisecond, GiveBackAfter: time.Minute},
	}
	fd, err := feed.New(feed.Options{Name: "chaos", Logger: testLogger(t), Quarantine: c.quarantine}, route)
	if err != nil {
		t.Fatal(err)
	}
	c.status = fd.Status
	go func() { c.ended <- fd.Run(t.Context()) }()
	return c
}

// wait waits until the sink has n messages.
func (c *chaosFeed) wait(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.sink.Wait(ctx, n); err != nil {
		t.Fatalf("%d of %d messages have come: %v; %+v", len(c.sink.Taken()), n, c.status().Routes[0], err)
	}
}

// end lets the feed run dry.
func (c *chaosFeed) end(t *testing.T) {
	t.Helper()
	c.queue.End()
	select {
	case err := <-c.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatalf("the feed does not end: %+v", c.status())
	}
	if err := c.queue.Misuse(); err != nil {
		t.Error(err)
	}
	if n := c.queue.Len(); n != 0 {
		t.Errorf("%d messages were not settled", n)
	}
}

// held is what a process holds.
type held struct {
	goroutines, descriptors int
	memory                  int64
}

func holds(t *testing.T) held {
	t.Helper()
	debug.FreeOSMemory()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	memory, err := residentAlone(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return held{runtime.NumGoroutine(), len(fds), memory}
}

// The ways in which a process is killed: by the kernel, stopped for ever, and, in the
// busy plugin, by exit 1 and by a panic.
var deaths = []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGUSR1, syscall.SIGUSR2}

// Killed a hundred times at random, in all ways, under load, a plugin loses nothing,
// repeats nothing and keeps the order of each key; and the feed holds as much as
// before.
func TestChaos(t *testing.T) {
	kills := testenv.Amount(32, 100)
	if testing.Short() {
		kills = 12
	}
	c := runChaosFeed(t, func(l *config.PluginLimits) {
		l.Heartbeat, l.Restarts, l.Within = 250*time.Millisecond, 100_000, time.Second
	})
	const keys, perKill = 10, 200
	last := map[int]int{}
	put := func(n int) {
		var ps []string
		for range n {
			k := rand.N(keys)
			ps = append(ps, fmt.Sprintf("k%d:%d", k, last[k]))
			last[k]++
		}
		c.queue.Put(ps...)
	}
	total := 0
	more := func() int {
		put(perKill)
		total += perKill
		return total - perKill
	}
	more()
	c.wait(t, total) // all is warm
	var before held
	for n := range kills {
		done := more()
		c.wait(t, done+1+rand.N(perKill-1))
		killed := c.kill(t, deaths[n%len(deaths)])
		c.wait(t, done+perKill)
		next(t, c.host.plugins[0].supervisor, killed)
		if n == kills/10 { // as big as it gets
			before = holds(t)
		}
	}
	after := holds(t)
	c.end(t)
	t.Logf("%d deaths, counted %v; before %+v, after %+v", kills, c.host.Plugins()[0].Restarts, before, after)
	checkOrder(t, c.sink.Taken(), last)
	if items := c.quarantine.Items(); len(items) > 0 {
		t.Errorf("%d messages are in the quarantine, the first because of %s", len(items), items[0].Reason)
	}
	restarts := c.host.Plugins()[0].Restarts
	if total := restarts[reasonHang] + restarts[reasonSignal] + restarts[reasonExit]; total < uint64(kills) || restarts[reasonSignal] == 0 {
		t.Errorf("killed %d times, it counted %v", kills, restarts)
	}
	if after.goroutines > before.goroutines+3 || after.descriptors > before.descriptors+3 || after.memory > before.memory+32<<20 {
		t.Errorf("the feed held %+v, and holds %+v", before, after)
	}
}

// kill has the running process end in a way, and returns which it was.
func (c *chaosFeed) kill(t *testing.T, how syscall.Signal) uint64 {
	t.Helper()
	s := c.host.plugins[0].supervisor
	for {
		client(t, s) // one runs
		s.mu.Lock()
		current, gen := s.current, s.gen
		s.mu.Unlock()
		if current == nil {
			continue
		}
		if pid := current.proc.number(); pid != 0 && syscall.Kill(pid, how) == nil { // 0 would be us
			return gen
		}
	}
}

// checkOrder checks that each key's messages came once and in order.
func checkOrder(t *testing.T, taken []string, want map[int]int) {
	t.Helper()
	got := map[int]int{}
	for _, p := range taken {
		k, n, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(p, "k"), "+"), ":")
		key, err := strconv.Atoi(k)
		if err != nil {
			t.Fatalf("%q came", p)
		}
		if n != strconv.Itoa(got[key]) {
			t.Fatalf("of key %d %s came where %d should", key, n, got[key])
		}
		got[key]++
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("of key %d %d messages came, %d were sent", k, got[k], n)
		}
	}
}

// A message that kills the plugin twice goes to the quarantine, with that reason;
// all around it are delivered.
func TestPoisonedMessage(t *testing.T) {
	c := runChaosFeed(t, func(l *config.PluginLimits) { l.Within = time.Second })
	var want []string
	for n := range 100 {
		p := fmt.Sprintf("k%d:%d", n%3, n)
		if n == 50 {
			p += "!exit"
		} else {
			want = append(want, p+"+")
		}
		c.queue.Put(p)
	}
	c.wait(t, 99)
	c.end(t)
	got := c.sink.Taken()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	items := c.quarantine.Items()
	if len(items) != 1 || string(items[0].Payload) != "k2:50!exit" || items[0].Stage != "stamp" || !strings.Contains(items[0].Reason, "killed plugin acme twice: exit status 1") {
		t.Errorf("the quarantine has %+v", items)
	}
}

// Past the budget the route is not ready and says why; then the plugin is tried
// again, and all that waited is delivered.
func TestBudgetOfARoute(t *testing.T) {
	c := runChaosFeed(t, func(l *config.PluginLimits) { l.Restarts, l.Within = 1, 3*time.Second })
	c.queue.Put("k0:0")
	c.wait(t, 1)
	s := c.host.plugins[0].supervisor
	for range 2 {
		s.Ended(t.Context(), c.kill(t, syscall.SIGKILL))
	}
	c.queue.Put("k0:1", "k0:2")
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if r := c.status().Routes[0]; !r.Ready && strings.Contains(r.Reason, "started again 1 times within 3s, which is its budget, the last time because of: signal: killed; it is tried again at ") {
			break
		}
		select {
		case <-changed:
			if len(c.sink.Taken()) == 3 {
				t.Fatalf("the route did not say why it waited: %+v", c.status().Routes[0])
			}
		case <-time.After(10 * time.Millisecond):
		}
	}
	c.wait(t, 3)
	c.end(t)
	if got := strings.Join(c.sink.Taken(), " "); got != "k0:0+ k0:1+ k0:2+" {
		t.Errorf("got %s", got)
	}
}
