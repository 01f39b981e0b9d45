package feed_test

import (
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

type plainPublisher struct{}

func (plainPublisher) Publish(string, ...*message.Message) error { return nil }
func (plainPublisher) Close() error                              { return nil }

func TestNewRefusesWhatWouldLoseMessages(t *testing.T) {
	q := func() *feedtest.Queue { return &feedtest.Queue{} }
	for _, tt := range []struct {
		name   string
		routes []feed.Route
		want   string
	}{
		{"no routes", nil, "at least one route"},
		{"no name", []feed.Route{{Source: q(), Sink: &feedtest.Sink{}}}, "has no name"},
		{"no source", []feed.Route{{Name: "r", Sink: &feedtest.Sink{}}}, "has no source"},
		{"no sink", []feed.Route{{Name: "r", Source: q()}}, "has no sink"},
		{"plain publisher", []feed.Route{{Name: "r", Source: q(), Sink: plainPublisher{}}}, "feed.DurablePublisher"},
		{"plain publisher inside All", []feed.Route{{Name: "r", Source: q(), Sink: feed.All(&feedtest.Sink{}, plainPublisher{})}}, "feed.DurablePublisher"},
		{"volatile sink", []feed.Route{{Name: "r", Source: q(), Sink: volatileSink{&feedtest.Sink{}}}}, "the sink feed_test.volatileSink is not durable"},
		{"named volatile sink", []feed.Route{{Name: "r", Source: q(), Sink: volatileSink{&feedtest.Sink{}}, SinkName: "mqtt"}}, "the sink mqtt is not durable"},
		{"volatile sink inside All", []feed.Route{{Name: "r", Source: q(), Sink: feed.All(&feedtest.Sink{}, volatileSink{&feedtest.Sink{}})}}, "not durable"},
		{"order", []feed.Route{{Name: "r", Source: q(), Sink: &feedtest.Sink{}, Order: "strict"}}, "none of wire, key, none"},
		{"transform", []feed.Route{{Name: "r", Source: q(), Sink: &feedtest.Sink{}, Transforms: []feed.Transform{{Name: "x"}}}}, "exactly one of Func and Batch"},
		{"limits", []feed.Route{{Name: "r", Source: q(), Sink: &feedtest.Sink{}, Batch: feed.BatchLimits{MaxMessages: -1}}}, "must not be negative"},
		{"same name", []feed.Route{{Name: "r", Source: q(), Sink: &feedtest.Sink{}}, {Name: "r", Source: q(), Sink: &feedtest.Sink{}}}, "two routes are named"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := feed.New(feed.Options{}, tt.routes...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
	if _, err := feed.New(feed.Options{}, feed.Route{Name: "r", Source: q(), Sink: volatileSink{&feedtest.Sink{}}, AllowLoss: true}); err != nil {
		t.Errorf("a volatile sink with AllowLoss: %v", err)
	}
}
