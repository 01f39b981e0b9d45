package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// TestShards runs the documented layout: two processes for each of four
// shards. Without failures all is in order and nothing comes twice; a process
// that is terminated changes nothing in that; one that is killed lets its
// shard's standby repeat its window at most, and still no first occurrence
// comes after a later one.
func TestShards(t *testing.T) {
	t.Parallel()        // while others wait
	const window = 2000 // the default prefetch
	n := testenv.Amount[uint64](32_000, 48_000)
	s := newSite(t)
	s.factory.Rate = 6000 // so that there is time to fail under load
	sets := [2][]*feedProcess{s.shards("a"), s.shards("b")}
	startAll(append(append([]*feedProcess{}, sets[0]...), sets[1]...))
	published := s.publish(readings(int(n)))

	s.await("MQTT", s.mqtt, n/4, time.Minute)
	active, standby := roles(t, sets, s)
	expectOrder(t, s, "without failures", 0)

	// A planned end: the shard moves to its standby, and nothing is repeated.
	terminated := active(1)
	before := deliveredBy(t, standby(1))
	if code, took := terminated.terminate(); code != 0 {
		t.Errorf("exit code %d after %v", code, took)
	}
	awaitMore(t, standby(1), before)
	terminated.start()
	s.await("MQTT", s.mqtt, n/2, time.Minute)
	expectOrder(t, s, "after SIGTERM", 0)

	// A failure.
	before = deliveredBy(t, standby(2))
	killed := active(2)
	s.killAtWork(killed, "telemetry.shard-2", 1000)
	awaitMore(t, standby(2), before)
	killed.start()
	killed.ready()

	if err := <-published; err != nil {
		t.Fatal(err)
	}
	s.await("MQTT", s.mqtt, n, time.Minute)
	for i := range shards {
		testenv.Eventually(t, time.Minute, fmt.Sprintf("shard %d to be empty", i), func() bool {
			messages, _, err := s.vhost.Queue(fmt.Sprintf("telemetry.shard-%d", i))
			return err == nil && messages == 0
		})
	}
	for _, i := range []int{0, 3} {
		if got := deliveredBy(t, standby(i)); got != 0 {
			t.Errorf("the standby of shard %d delivered %d, though nothing happened to its shard", i, got)
		}
	}
	if got := deliveredBy(t, killed); got != 0 {
		t.Errorf("the process that came back took %d from the one that had taken over", got)
	}
	stopAll(t, append(append([]*feedProcess{}, sets[0]...), sets[1]...))
	expectOrder(t, s, "after SIGKILL", window)
	s.expect("MQTT", s.mqtt, window+s.factory.Republished)
}

// roles tells of each shard which process works and which stands by: RabbitMQ
// gives the shard to the first that came.
func roles(t *testing.T, sets [2][]*feedProcess, s *site) (active, standby func(shard int) *feedProcess) {
	t.Helper()
	var works [shards]int
	for i := range shards {
		a, b := deliveredBy(t, sets[0][i]), deliveredBy(t, sets[1][i])
		if (a == 0) == (b == 0) {
			t.Fatalf("shard %d: one process delivered %d, the other %d, want one that works; %+v", i, a, b, witness.Compare(s.factory.Published, s.mqtt))
		}
		if b > 0 {
			works[i] = 1
		}
	}
	return func(i int) *feedProcess { return sets[works[i]][i] }, func(i int) *feedProcess { return sets[1-works[i]][i] }
}

func deliveredBy(t *testing.T, p *feedProcess) uint64 {
	t.Helper()
	return delivered(t, []*feedProcess{p})[0]
}

// awaitMore waits until a process has delivered more than before.
func awaitMore(t *testing.T, p *feedProcess, before uint64) {
	t.Helper()
	testenv.Eventually(t, time.Minute, "the standby to take over", func() bool {
		st, err := p.status()
		return err == nil && deliveredOf(st) > before
	})
}

// expectOrder fails the test when something arrived late or too often.
func expectOrder(t *testing.T, s *site, when string, maxDuplicates uint64) {
	t.Helper()
	v := witness.Compare(s.factory.Published, s.mqtt)
	t.Logf("%s: %d arrived, %d out of order, %d duplicates", when, v.Arrived, v.Disordered, v.Duplicates)
	if v.Disordered > 0 || v.Duplicates > maxDuplicates+s.factory.Republished {
		t.Errorf("%s: %d out of order, want none; %d duplicates, want at most %d", when, v.Disordered, v.Duplicates, maxDuplicates)
	}
}

// TestShardsGrowWhenEmpty takes the documented way from four shards to six
// while the factory waits: no key loses its order.
func TestShardsGrowWhenEmpty(t *testing.T) {
	t.Parallel() // while others wait
	n := testenv.Amount(10_000, 20_000)
	s := newSite(t)
	next := readings(n)
	phase := func(count int) func() (witness.Reading, bool) {
		return func() (witness.Reading, bool) {
			if count == 0 {
				return witness.Reading{}, false
			}
			count--
			return next()
		}
	}
	few := s.shards("a")
	startAll(few)
	if err := <-s.publish(phase(n / 2)); err != nil {
		t.Fatal(err)
	}
	s.await("MQTT", s.mqtt, uint64(n/2), time.Minute)
	stopAll(t, few)

	yaml := strings.Replace(shardExample(t), "telemetry.shard-3]", "telemetry.shard-3, telemetry.shard-4, telemetry.shard-5]", 1)
	var more []*feedProcess
	for i := range shards + 2 {
		more = append(more, s.replica(yaml, fmt.Sprintf("feed-a-%d", i), fmt.Sprintf("SHARD=%d", i)))
	}
	startAll(more)
	if err := <-s.publish(phase(n / 2)); err != nil {
		t.Fatal(err)
	}
	s.await("MQTT", s.mqtt, uint64(n), time.Minute)
	for i, part := range delivered(t, more) {
		if part == 0 {
			t.Errorf("shard %d got nothing", i)
		}
	}
	stopAll(t, more)
	expectOrder(t, s, "after growing", 0)
	s.expect("MQTT", s.mqtt, 0)
}
