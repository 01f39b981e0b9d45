package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestCompetingConsumers runs several processes on one queue, and kills one of
// them under load: everything arrives, each has done a fair part, and nothing
// comes twice but what the killed one had in its window. There is no promise of
// order across processes.
func TestCompetingConsumers(t *testing.T) {
	t.Parallel()        // while others wait
	const window = 1000 // prefetch in the documentation
	n := testenv.Amount[uint64](16_000, 30_000)
	for _, processes := range []int{2, 3} {
		t.Run(fmt.Sprint(processes, " processes"), func(t *testing.T) {
			s := newSite(t)
			all := s.competing(processes)
			startAll(all)
			published := s.publish(readings(int(n)))
			s.await("MQTT", s.mqtt, n/2, time.Minute)

			parts := delivered(t, all)
			fair := n / 2 / uint64(processes)
			for i, part := range parts {
				if part < fair/2 {
					t.Errorf("process %d delivered %d of the first half, want at least half of its fair part %d: %v", i, part, fair, parts)
				}
			}
			s.killAtWork(all[0], "telemetry-mqtt", processes*window/2)
			atKill := s.mqtt.Distinct()

			if err := <-published; err != nil {
				t.Fatal(err)
			}
			s.await("MQTT", s.mqtt, n, time.Minute)
			testenv.Eventually(t, time.Minute, "the queue to be empty", func() bool {
				messages, _, err := s.vhost.Queue("telemetry-mqtt")
				return err == nil && messages == 0
			})
			rest := delivered(t, all[1:])
			stopAll(t, all[1:])
			v := s.expect("MQTT", s.mqtt, window+s.factory.Republished)
			t.Logf("delivered at half time %v, one killed at %d, the others at the end %v; out of order %d, duplicates %d",
				parts, atKill, rest, v.Disordered, v.Duplicates)
			if slices.Min(rest) == 0 {
				t.Errorf("of the others one delivered nothing: %v", rest)
			}
		})
	}
}
