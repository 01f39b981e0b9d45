package mqtt

import (
	"reflect"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// TestRestore checks that a message that was described becomes what the source
// had made of its delivery.
func TestRestore(t *testing.T) {
	text := func(id byte, texts ...string) []byte {
		b := []byte{id}
		for _, s := range texts {
			b = append(append(b, 0, byte(len(s))), s...)
		}
		return b
	}
	var all []byte
	for _, p := range [][]byte{
		text(propContentType, "text/plain"), text(propResponseTopic, "answers"), text(propCorrelationData, "\x00\xff"),
		{propMessageExpiry, 0, 0, 1, 0}, {propPayloadFormat, 1},
		text(propUser, propMessageID, "m1"), text(propUser, "site", "north"), text(propUser, "site", "south"),
		text(propUser, feed.MetaTime, "2026-03-01T13:00:00+01:00"), text(propUser, feed.MetaTopic, "hidden"),
	} {
		all = append(all, p...)
	}
	for name, d := range map[string]*delivery{
		"all":       {topic: "plant/a", payload: []byte("body"), properties: all},
		"none":      {topic: "plant/a"},
		"malformed": {topic: "plant/a", payload: []byte("body"), properties: append(all, 0xff)},
	} {
		t.Run(name, func(t *testing.T) {
			want := &message.Message{}
			fill(want, d)
			properties, err := d.describe()
			if err != nil {
				t.Fatal(err)
			}
			got, err := Restore(feed.Original{Payload: d.payload, Format: Format, Properties: properties})
			if err != nil || got.UUID != want.UUID || string(got.Payload) != string(want.Payload) || !reflect.DeepEqual(got.Metadata, want.Metadata) {
				t.Errorf("got %s %v, error %v, want %s %v", got.UUID, got.Metadata, err, want.UUID, want.Metadata)
			}
		})
	}
	if _, err := Restore(feed.Original{Properties: []byte("[")}); err == nil {
		t.Error("broken properties were restored")
	}
}
