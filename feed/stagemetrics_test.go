package feed_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// countingStage is a source and a plain publisher that counts.
type countingStage struct{ *feed.EventCounts }

func (countingStage) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	return nil, nil
}
func (countingStage) Publish(string, ...*message.Message) error { return nil }
func (countingStage) Close() error                              { return nil }

// What stages count is in the status, also through the sinks that wrap others:
// there it is added up.
func TestStatusHasTheEventsOfStages(t *testing.T) {
	source, first, second := countingStage{feed.NewEventCounts("lost", "a")}, countingStage{feed.NewEventCounts("lost")}, countingStage{feed.NewEventCounts("lost")}
	unpack := feed.NewEventCounts("repeated")
	f, err := feed.New(feed.Options{}, feed.Route{
		Name: "r", Source: source, SourceName: "queue", SinkName: "x+y+z",
		Transforms: []feed.Transform{{Name: "plain", Func: message.PassthroughHandler}, {Name: "unpack", Func: message.PassthroughHandler, Events: unpack.Events}, {Name: "unpack", Func: message.PassthroughHandler, Events: unpack.Events}},
		Sink:       feed.All(feed.DurablePublisher(first), feed.DurablePublisher(second), feed.DurablePublisher(&recorder{})),
	})
	if err != nil {
		t.Fatal(err)
	}
	source.Add("lost", 2)
	unpack.Add("repeated", 1)
	first.Add("lost", 3)
	second.Add("lost", 4)
	second.Add("lost", 0)
	want := []feed.StageEvent{
		{Kind: feed.KindSource, Stage: "queue", Event: "a", Count: 0},
		{Kind: feed.KindSource, Stage: "queue", Event: "lost", Count: 2},
		{Kind: feed.KindTransform, Stage: "unpack", Event: "repeated", Count: 2},
		{Kind: feed.KindSink, Stage: "x+y+z", Event: "lost", Count: 7},
	}
	if got := f.Status().Routes[0].Events; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

// measuringSink is a publisher that has figures.
type measuringSink struct {
	recorder
	figures map[string]float64
}

func (m *measuringSink) Gauges() map[string]float64 { return m.figures }

// What sinks measure is in the status, also through the sinks that wrap them: the
// first that has a figure says it.
func TestStatusHasTheGaugesOfSinks(t *testing.T) {
	first := &measuringSink{figures: map[string]float64{"ratio": 0.5, "unknown": math.NaN(), "endless": math.Inf(1)}}
	second := &measuringSink{figures: map[string]float64{"ratio": 0.25, "age_seconds": 3}}
	f, err := feed.New(feed.Options{}, feed.Route{
		Name: "r", Source: countingStage{feed.NewEventCounts()}, SourceName: "queue", SinkName: "x+y+z",
		Sink: feed.All(feed.DurablePublisher(&recorder{}), feed.DurablePublisher(first), feed.DurablePublisher(second)),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []feed.StageGauge{
		{Kind: feed.KindSink, Stage: "x+y+z", Gauge: "age_seconds", Value: 3},
		{Kind: feed.KindSink, Stage: "x+y+z", Gauge: "ratio", Value: 0.5},
	}
	if got := f.Status().Routes[0].Gauges; !slices.Equal(got, want) {
		t.Errorf("gauges %v, want %v", got, want)
	}
}
