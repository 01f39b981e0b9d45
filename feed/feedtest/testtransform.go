package feedtest

import (
	"bytes"
	"maps"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// TransformUnderTest is a transform and messages to put through it.
type TransformUnderTest struct {
	// New returns the transform, always alike.
	New func(t testing.TB) feed.Transform
	// Messages returns messages of all kinds that it may get, malformed ones
	// included, anew at each call.
	Messages func() []*message.Message
}

// TestTransform checks that a transform keeps the contract of
// [feed.Transform]: it returns messages, or filters with a reason, or fails; it
// writes into no payload; a failure leaves the message as it was; and it does
// the same when it gets the same again; one that takes batches, also when it gets
// all at once.
func TestTransform(t *testing.T, u TransformUnderTest) {
	first := u.New(t)
	defer closeTransform(t, first)
	again := allAtOnce(t, u)
	for i, m := range u.Messages() {
		payload, metadata := bytes.Clone(m.Payload), maps.Clone(m.Metadata)
		given := m.Payload
		out, err := first.Try(t.Context(), m)
		if !bytes.Equal(given, payload) {
			t.Errorf("message %d: the transform wrote into its payload", i)
		}
		switch {
		case err == nil && len(out) == 0:
			t.Errorf("message %d: neither a message nor an error", i)
		case err != nil && len(out) > 0:
			t.Errorf("message %d: messages and an error: %v", i, err)
		case err != nil && (!bytes.Equal(m.Payload, payload) || !maps.Equal(m.Metadata, metadata)):
			t.Errorf("message %d: it failed (%v) and changed the message", i, err)
		}
		if reason, ok := feed.FilterReason(err); ok && reason == "" {
			t.Errorf("message %d: filtered without a reason", i)
		}
		for _, o := range out {
			if o == nil {
				t.Fatalf("message %d: a nil message", i)
			}
		}
		out2, err2 := again[i].Messages, again[i].Err
		if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() || len(out) != len(out2) {
			t.Errorf("message %d: another outcome the second time: %d messages, %v; then %d, %v", i, len(out), err, len(out2), err2)
			continue
		}
		for j := range out {
			if !bytes.Equal(out[j].Payload, out2[j].Payload) || !maps.Equal(out[j].Metadata, out2[j].Metadata) {
				t.Errorf("message %d: another message the second time", i)
			}
		}
	}
}

// allAtOnce puts all messages through another transform, in batches when it takes
// those.
func allAtOnce(t *testing.T, u TransformUnderTest) (all []feed.Made) {
	transform, msgs := u.New(t), u.Messages()
	defer closeTransform(t, transform)
	for len(all) < len(msgs) {
		if rest := msgs[len(all):]; transform.Batch != nil {
			made := transform.Batch(t.Context(), rest)
			if len(made) == 0 || len(made) > len(rest) {
				t.Fatalf("a batch of %d messages has %d results", len(rest), len(made))
			}
			all = append(all, made...)
			continue
		}
		out, err := transform.Try(t.Context(), msgs[len(all)])
		all = append(all, feed.Made{Messages: out, Err: err})
	}
	return all
}

func closeTransform(t *testing.T, transform feed.Transform) {
	if transform.Close == nil {
		return
	}
	if err := transform.Close(); err != nil {
		t.Error("close:", err)
	}
}
