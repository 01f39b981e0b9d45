package feed_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// handedOver is a quarantine that hands its items over.
type handedOver chan feed.QuarantineItem

func (q handedOver) Put(_ context.Context, items []feed.QuarantineItem) error {
	for _, it := range items {
		q <- it
	}
	return nil
}

// TestRestoreWatermill quarantines a message of a plain Subscriber and makes it
// again as it came.
func TestRestoreWatermill(t *testing.T) {
	channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	want := message.NewMessage("id", []byte("payload"))
	want.Metadata = message.Metadata{"site": "north", feed.MetaTopic: "other"}
	if err := channel.Publish("t", want); err != nil {
		t.Fatal(err)
	}
	quarantine := make(handedOver, 1)
	f, err := feed.New(feed.Options{Quarantine: quarantine}, feed.Route{
		Name: "r", Source: channel, Topic: "t", Sink: &feedtest.Sink{},
		Transforms: []feed.Transform{{Name: "t", Func: func(m *message.Message) ([]*message.Message, error) {
			m.Payload, m.Metadata["site"] = []byte("changed"), "changed"
			return nil, feed.Permanent(errors.New("as told"))
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	it := <-quarantine
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	got, err := feed.RestoreWatermill(it.Original)
	if err != nil || it.Format != feed.FormatWatermill || got.UUID != want.UUID || string(got.Payload) != "payload" ||
		!maps.Equal(got.Metadata, message.Metadata{"site": "north", feed.MetaTopic: "other"}) {
		t.Errorf("got %+v of %s, error %v", got, it.Properties, err)
	}
	if _, err := feed.RestoreWatermill(feed.Original{Properties: []byte("[")}); err == nil {
		t.Error("broken properties were restored")
	}
}
