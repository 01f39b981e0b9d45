package host

import (
	"errors"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// What is missing fails with a reason, and not for ever.
func TestMissing(t *testing.T) {
	why := errors.New("plugin acme is left out")
	r, err := feed.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	r = r.Otherwise(Missing(why))
	env := feed.StageEnv{Logger: testLogger(t)}
	lookup := func(k feed.Kind) feed.Factory {
		f, ok := r.Lookup(k, "acme")
		if !ok || f.Kind != k || f.Name != "acme" || f.NewConfig().Validate() != nil {
			t.Fatalf("no %s", k)
		}
		return f
	}
	check := func(what string, err error) {
		if want := "there is no " + what + ` "acme": plugin acme is left out`; !errors.Is(err, why) || feed.IsPermanent(err) || err.Error() != want {
			t.Errorf("%s: got %v", what, err)
		}
	}
	f := lookup(feed.KindSource)
	source, err := f.Source(f.NewConfig(), env)
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.(feed.BatchSubscriber).SubscribeBatch(t.Context(), "")
	check("source", err)
	_, err = source.Subscribe(t.Context(), "")
	check("source", err)
	f = lookup(feed.KindTransform)
	transform, err := f.Transform(f.NewConfig(), env)
	if err != nil {
		t.Fatal(err)
	}
	check("transform", transform.Batch(t.Context(), []*message.Message{{}})[0].Err)
	f = lookup(feed.KindSink)
	sink, err := f.Sink(f.NewConfig(), env)
	if err != nil {
		t.Fatal(err)
	}
	check("sink", sink.Publish("", &message.Message{}))
	check("sink", sink.(feed.BatchPublisher).PublishBatch(t.Context(), feed.NewBatch()))
	check("sink", sink.(feed.Prober).Probe(t.Context()))
	f = lookup(feed.KindCodec)
	codec, err := batch.NewCodec(f, f.NewConfig(), env)
	if err != nil {
		t.Fatal(err)
	}
	_, err = codec.Append(nil, nil)
	check("codec", err)
	var unavailable *batch.Unavailable
	if _, err = codec.Decode(nil, nil, batch.Limits{}); !errors.As(err, &unavailable) {
		t.Errorf("got %v", err)
	}
	check("codec", err)
	f = lookup(feed.KindExpectation)
	_, err = validate.NewExpectation(f, f.NewConfig(), env)
	check("expectation", err)
	if err := errors.Join(source.Close(), sink.Close(), codec.Close()); err != nil {
		t.Error(err)
	}
	if _, ok := r.Lookup(feed.KindObservation, "acme"); ok {
		t.Error("no plugin has observations")
	}
}
