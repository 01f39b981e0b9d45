package wire

import (
	"maps"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/proto"

	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// What the generated code reads of any bytes, and writes as it must be, is read by
// hand, too, and says the same.

func FuzzTransformResponse(f *testing.F) {
	one := &pluginpb.Message{Uuid: "id", Payload: []byte("payload"), Metadata: map[string]string{"topic": "a/b", "": ""}}
	seed(f,
		&pluginpb.TransformResponse{Response: &pluginpb.TransformResponse_Opened{Opened: &pluginpb.Opened{Settled: true}}},
		&pluginpb.TransformResponse{Response: &pluginpb.TransformResponse_Made{Made: &pluginpb.Made{Number: 1, Results: []*pluginpb.Result{
			{Messages: []*pluginpb.Message{one, one}}, {Filtered: "old"}, {Failure: &pluginpb.Failure{Text: "no", Permanent: true, ConnectionFatal: true}}, {},
			{Changed: &pluginpb.Changed{Uuid: new("other"), Payload: []byte{}, Metadata: map[string]string{"topic": "c"}, Removed: []string{"time"}}},
		}}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		var got TransformResponse
		_ = got.unmarshal(b) // it must not panic
		var want pluginpb.TransformResponse
		if !canonical(&b, &want) {
			return
		}
		err := got.unmarshal(b)
		made := want.GetMade()
		if got.IsMade != (made != nil) {
			t.Fatalf("made: %v, %v, want %v", got.IsMade, err, made)
		}
		if err != nil || made == nil {
			return
		}
		if got.Number != made.Number || len(got.Results) != len(made.Results) {
			t.Fatalf("got %+v, want %v", got, made)
		}
		for i, r := range made.Results {
			g := got.Results[i]
			if g.Filtered != r.Filtered || g.Failure != FailureFrom(r.Failure) || len(g.Messages) != len(r.Messages) {
				t.Fatalf("result %d: got %+v, want %v", i, g, r)
			}
			for j, m := range r.Messages {
				same(t, g.Messages[j], m.Uuid, m.Payload, m.Metadata)
			}
			if c := r.Changed; g.IsChanged != (c != nil) {
				t.Fatalf("result %d: got %+v, want %v", i, g, r)
			} else if c != nil {
				was := func() *message.Message {
					return &message.Message{UUID: "id", Payload: []byte("p"), Metadata: message.Metadata{"topic": "a/b", "time": "now"}}
				}
				changed, want := was(), was()
				g.Changed.Apply(changed)
				if c.Uuid != nil {
					want.UUID = *c.Uuid
				}
				if c.Payload != nil {
					want.Payload = c.Payload
				}
				for _, key := range c.Removed {
					delete(want.Metadata, key)
				}
				maps.Copy(want.Metadata, c.Metadata)
				same(t, changed, want.UUID, want.Payload, want.Metadata)
			}
		}
	})
}

func FuzzSourceResponse(f *testing.F) {
	one := &pluginpb.Message{Uuid: "id", Payload: []byte("payload"), Metadata: map[string]string{"topic": "a/b"}}
	seed(f, &pluginpb.SourceResponse{Response: &pluginpb.SourceResponse_Deliveries{Deliveries: &pluginpb.Deliveries{Deliveries: []*pluginpb.Delivery{
		{Message: one, Tag: 1}, {Message: one, Tag: 1 << 40, Redelivered: true},
	}}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		var got SourceResponse
		_ = got.unmarshal(b)
		var want pluginpb.SourceResponse
		if !canonical(&b, &want) {
			return
		}
		err := got.unmarshal(b)
		ds := want.GetDeliveries()
		if got.IsDeliveries != (ds != nil) {
			t.Fatalf("deliveries: %v, %v, want %v", got.IsDeliveries, err, ds)
		}
		if err != nil || ds == nil {
			return
		}
		if len(got.Deliveries) != len(ds.Deliveries) {
			t.Fatalf("got %v, want %v", got.Deliveries, ds)
		}
		for i, d := range ds.Deliveries {
			g := got.Deliveries[i]
			if g.Tag != d.Tag || g.Redelivered != d.Redelivered {
				t.Fatalf("delivery %d: got %+v, want %v", i, g, d)
			}
			same(t, g.Message, d.Message.Uuid, d.Message.Payload, d.Message.Metadata)
		}
	})
}

func FuzzSinkRequest(f *testing.F) {
	one := &pluginpb.Message{Uuid: "id", Payload: []byte("payload"), Metadata: map[string]string{"topic": "a/b"}}
	seed(f, &pluginpb.SinkRequest{Request: &pluginpb.SinkRequest_Publish{Publish: &pluginpb.Batch{Number: 7, Received: -1, Messages: []*pluginpb.Message{one, {}}}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		var got SinkRequest
		_ = got.unmarshal(b)
		var want pluginpb.SinkRequest
		if !canonical(&b, &want) {
			return
		}
		err := got.unmarshal(b)
		p := want.GetPublish()
		if got.IsPublish != (p != nil) {
			t.Fatalf("publish: %v, %v, want %v", got.IsPublish, err, p)
		}
		if err != nil || p == nil {
			return
		}
		if got.Publish.Number != p.Number || got.Publish.Received != p.Received || len(got.Publish.Messages) != len(p.Messages) {
			t.Fatalf("got %+v, want %v", got.Publish, p)
		}
		for i, m := range p.Messages {
			same(t, got.Publish.Messages[i], m.Uuid, m.Payload, m.Metadata)
		}
	})
}

func seed(f *testing.F, all ...proto.Message) {
	for _, m := range all {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// canonical reads b and writes it as an end would; false when it says nothing.
func canonical(b *[]byte, m proto.Message) bool {
	if proto.Unmarshal(*b, m) != nil {
		return false
	}
	proto.Reset(m)
	if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(*b, m) != nil {
		return false
	}
	written, err := proto.Marshal(m)
	*b = written
	return err == nil
}
