package metrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func status() feed.Status {
	return feed.Status{
		Feed: "line-1", Started: time.Unix(1_700_000_000, 500_000_000), Ready: false,
		Routes: []feed.RouteStatus{{
			Name: "telemetry", State: feed.StatePaused, Ready: false,
			Deliveries: feed.Account{
				Received: 100, Delivered: 60, Filtered: map[string]uint64{"unmatched": 5}, Quarantined: map[string]uint64{"mqtt": 3},
				Returned: map[string]uint64{"closed": 20}, InFlight: 12,
			},
			Produced: feed.Account{Received: 10, Delivered: 9, InFlight: 3},
			Batches:  7, Retries: 6, Redelivered: 5, Reordered: 4, SettleLost: 3, Parked: 2,
			Offsets: &feed.OffsetStatus{Stream: "readings", Generation: 2, Committed: 41, Received: 57, Missing: 8, Renewed: 1},
			Events:  []feed.StageEvent{{Kind: feed.KindSource, Stage: "mqtt", Event: "connection_lost", Count: 11}},
			Gauges:  []feed.StageGauge{{Kind: feed.KindSink, Stage: "validator", Gauge: "readings_missing", Value: 13}},
		}},
	}
}

func TestCollector(t *testing.T) {
	const want = `
# HELP datafeed_account_imbalance Received minus delivered, filtered, quarantined, returned and in flight: 0 when every message is accounted for.
# TYPE datafeed_account_imbalance gauge
datafeed_account_imbalance{feed="line-1",route="telemetry",scope="delivery"} 0
datafeed_account_imbalance{feed="line-1",route="telemetry",scope="produced"} -2
# HELP datafeed_batches_total Batches that were settled.
# TYPE datafeed_batches_total counter
datafeed_batches_total{feed="line-1",route="telemetry"} 7
# HELP datafeed_generations_begun_total Generations that were begun because the stream was another one.
# TYPE datafeed_generations_begun_total counter
datafeed_generations_begun_total{feed="line-1",route="telemetry",stream="readings"} 1
# HELP datafeed_messages_delivered_total Messages that are durable in the sink.
# TYPE datafeed_messages_delivered_total counter
datafeed_messages_delivered_total{feed="line-1",route="telemetry",scope="delivery"} 60
datafeed_messages_delivered_total{feed="line-1",route="telemetry",scope="produced"} 9
# HELP datafeed_messages_filtered_total Messages that a transform dropped on purpose, or that stood in the sink already, by reason.
# TYPE datafeed_messages_filtered_total counter
datafeed_messages_filtered_total{feed="line-1",reason="unmatched",route="telemetry",scope="delivery"} 5
# HELP datafeed_messages_in_flight Messages that are unsettled now.
# TYPE datafeed_messages_in_flight gauge
datafeed_messages_in_flight{feed="line-1",route="telemetry",scope="delivery"} 12
datafeed_messages_in_flight{feed="line-1",route="telemetry",scope="produced"} 3
# HELP datafeed_messages_parked Messages of failing keys that are set aside now.
# TYPE datafeed_messages_parked gauge
datafeed_messages_parked{feed="line-1",route="telemetry"} 2
# HELP datafeed_messages_quarantined_total Messages that stand in the quarantine, by the stage that gave them up.
# TYPE datafeed_messages_quarantined_total counter
datafeed_messages_quarantined_total{feed="line-1",route="telemetry",scope="delivery",stage="mqtt"} 3
# HELP datafeed_messages_received_total Messages that entered the scope.
# TYPE datafeed_messages_received_total counter
datafeed_messages_received_total{feed="line-1",route="telemetry",scope="delivery"} 100
datafeed_messages_received_total{feed="line-1",route="telemetry",scope="produced"} 10
# HELP datafeed_messages_returned_total Messages that went back to their source and come again, by reason.
# TYPE datafeed_messages_returned_total counter
datafeed_messages_returned_total{feed="line-1",reason="closed",route="telemetry",scope="delivery"} 20
# HELP datafeed_offset_committed Last offset of the stream that is stored; -1 when there is none.
# TYPE datafeed_offset_committed gauge
datafeed_offset_committed{feed="line-1",route="telemetry",stream="readings"} 41
# HELP datafeed_offset_generation Generation of the stream: it grows when the stream is not the one that was stored.
# TYPE datafeed_offset_generation gauge
datafeed_offset_generation{feed="line-1",route="telemetry",stream="readings"} 2
# HELP datafeed_offset_received Last offset that the stream has handed out; -1 when there is none.
# TYPE datafeed_offset_received gauge
datafeed_offset_received{feed="line-1",route="telemetry",stream="readings"} 57
# HELP datafeed_offsets_missing_total Offsets that the retention of the stream has dropped before they were read.
# TYPE datafeed_offsets_missing_total counter
datafeed_offsets_missing_total{feed="line-1",route="telemetry",stream="readings"} 8
# HELP datafeed_ready Whether all routes are ready: 1 or 0.
# TYPE datafeed_ready gauge
datafeed_ready{feed="line-1"} 0
# HELP datafeed_redelivered_total Messages that the broker had handed out before.
# TYPE datafeed_redelivered_total counter
datafeed_redelivered_total{feed="line-1",route="telemetry"} 5
# HELP datafeed_reordered_total Messages that were delivered after a later one of their key.
# TYPE datafeed_reordered_total counter
datafeed_reordered_total{feed="line-1",route="telemetry"} 4
# HELP datafeed_retries_total Tries of a sink that were not the first.
# TYPE datafeed_retries_total counter
datafeed_retries_total{feed="line-1",route="telemetry"} 6
# HELP datafeed_route_ready Whether the route can move messages: 1 or 0.
# TYPE datafeed_route_ready gauge
datafeed_route_ready{feed="line-1",route="telemetry"} 0
# HELP datafeed_route_state 1 for the state that the route is in, 0 for the others.
# TYPE datafeed_route_state gauge
datafeed_route_state{feed="line-1",route="telemetry",state="draining"} 0
datafeed_route_state{feed="line-1",route="telemetry",state="paused"} 1
datafeed_route_state{feed="line-1",route="telemetry",state="retrying"} 0
datafeed_route_state{feed="line-1",route="telemetry",state="running"} 0
datafeed_route_state{feed="line-1",route="telemetry",state="starting"} 0
datafeed_route_state{feed="line-1",route="telemetry",state="stopped"} 0
# HELP datafeed_settle_lost_total Messages that ended well but could not be settled, so that they come again.
# TYPE datafeed_settle_lost_total counter
datafeed_settle_lost_total{feed="line-1",route="telemetry"} 3
# HELP datafeed_stage_events_total What has happened to a stage beside the messages, such as lost connections.
# TYPE datafeed_stage_events_total counter
datafeed_stage_events_total{event="connection_lost",feed="line-1",kind="source",route="telemetry",stage="mqtt"} 11
# HELP datafeed_stage_value A figure of a stage, such as how many readings are missing.
# TYPE datafeed_stage_value gauge
datafeed_stage_value{feed="line-1",kind="sink",name="readings_missing",route="telemetry",stage="validator"} 13
# HELP datafeed_start_time_seconds When the feed was made, in seconds since 1970.
# TYPE datafeed_start_time_seconds gauge
datafeed_start_time_seconds{feed="line-1"} 1.7000000005e+09
`
	if err := testutil.CollectAndCompare(metrics.Collector(status), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestLint(t *testing.T) {
	problems, err := testutil.CollectAndLint(metrics.Collector(status))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestForeignLabel checks that a reason that is no UTF-8 does not fail the
// scrape.
func TestForeignLabel(t *testing.T) {
	s := status()
	s.Routes[0].Deliveries.Filtered = map[string]uint64{"bad \xff": 1}
	want := `
# HELP datafeed_messages_filtered_total Messages that a transform dropped on purpose, or that stood in the sink already, by reason.
# TYPE datafeed_messages_filtered_total counter
datafeed_messages_filtered_total{feed="line-1",reason="bad \uFFFD",route="telemetry",scope="delivery"} 1
`
	c := metrics.Collector(func() feed.Status { return s })
	if err := testutil.CollectAndCompare(c, strings.NewReader(strings.ReplaceAll(want, "\\uFFFD", "\uFFFD")), "datafeed_messages_filtered_total"); err != nil {
		t.Error(err)
	}
}
