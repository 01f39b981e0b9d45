package generate

import (
	"reflect"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

// TestRestore checks that a reading that was described becomes the message that
// was handed out.
func TestRestore(t *testing.T) {
	s := newSource(t, func(*Config) {})
	defer s.Close()
	u, err := s.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	ds, err := u.Receive(t.Context(), nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	original, err := u.(feed.Describer).Describe(ds[0].Tag)
	if err != nil {
		t.Fatal(err)
	}
	want := ds[0].Message
	if got, err := Restore(original); err != nil || got.UUID != want.UUID || string(got.Payload) != string(want.Payload) || !reflect.DeepEqual(got.Metadata, want.Metadata) {
		t.Errorf("got %+v, error %v, want %+v", got, err, want)
	}
	if _, err := Restore(feed.Original{Properties: []byte("[")}); err == nil {
		t.Error("broken properties were restored")
	}
}
