package wire

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// drawMessage draws a message of any size, near where lengths get longer, too.
func drawMessage(t *rapid.T) *message.Message {
	size := rapid.SampledFrom([]int{0, 1, 90, 127, 128, 200, 1100, 16_300, 16_384, 70_000, 2_100_000}).Draw(t, "size")
	m := &message.Message{
		UUID:     rapid.SampledFrom([]string{"", "id", "ü", strings.Repeat("u", 200)}).Draw(t, "uuid"),
		Metadata: message.Metadata{},
	}
	if size > 0 {
		m.Payload = make(message.Payload, size+rapid.IntRange(0, 20).Draw(t, "more"))
		m.Payload[0] = 7
	}
	for range rapid.IntRange(0, 9).Draw(t, "entries") {
		m.Metadata[rapid.StringN(0, 70, -1).Draw(t, "key")] = rapid.StringN(0, 200, -1).Draw(t, "value")
	}
	return m
}

func same(t interface{ Fatalf(string, ...any) }, got *message.Message, uuid string, payload []byte, metadata map[string]string) {
	if got.UUID != uuid || string(got.Payload) != string(payload) || !maps.Equal(got.Metadata, metadata) {
		t.Fatalf("got %q %d %v, want %q %d %v", got.UUID, len(got.Payload), got.Metadata, uuid, len(payload), metadata)
	}
}

// sent are the bytes of a frame.
func sent(f *Frame) []byte {
	buffers := f.buffers()
	defer buffers.Free()
	return buffers.Materialize()
}

// What is encoded by hand is what the generated code reads, and what that writes is
// decoded by hand.
func TestBatchIsPlainProtobuf(t *testing.T) {
	var r TransformRequest // one for all, as a call has
	rapid.Check(t, func(t *rapid.T) {
		number, received := rapid.Uint64().Draw(t, "number"), rapid.Int64().Draw(t, "received")
		msgs := rapid.SliceOfN(rapid.Custom(drawMessage), 0, 5).Draw(t, "messages")
		f := NewBatch(number)
		for _, m := range msgs {
			if err := f.AddMessage(m); err != nil {
				t.Fatal(err)
			}
		}
		f.Received(received)
		var read pluginpb.TransformRequest
		if err := proto.Unmarshal(sent(f), &read); err != nil {
			t.Fatal(err)
		}
		b := read.GetBatch()
		if b == nil || b.Number != number || b.Received != received || len(b.Messages) != len(msgs) {
			t.Fatalf("the generated code reads %v", &read)
		}
		for i, m := range b.Messages {
			same(t, msgs[i], m.Uuid, m.Payload, m.Metadata)
		}
		written, err := proto.Marshal(&read)
		if err != nil {
			t.Fatal(err)
		}
		if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(written)}, &r); err != nil {
			t.Fatal(err)
		}
		if !r.IsBatch || r.Batch.Number != number || r.Batch.Received != received || len(r.Batch.Messages) != len(msgs) {
			t.Fatalf("decoded %+v", r.Batch)
		}
		for i, m := range r.Batch.Messages {
			same(t, m, msgs[i].UUID, msgs[i].Payload, msgs[i].Metadata)
		}
	})
}

// received is a batch as a plugin gets it.
func received(t interface{ Fatal(...any) }, msgs ...*message.Message) *Batch {
	f := NewBatch(1)
	for _, m := range msgs {
		if err := f.AddMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	var r TransformRequest
	if err := r.unmarshal(sent(f)); err != nil {
		t.Fatal(err)
	}
	return &r.Batch
}

// drawMade draws what a transform makes of a message: that itself, changed or not,
// another one, or any number of them.
func drawMade(t *rapid.T, m *message.Message) []*message.Message {
	if rapid.IntRange(0, 2).Draw(t, "new") == 0 {
		return rapid.SliceOfN(rapid.Custom(drawMessage), 1, 3).Draw(t, "messages")
	}
	other := drawMessage(t)
	if rapid.Bool().Draw(t, "new uuid") {
		m.UUID = other.UUID
	}
	if rapid.Bool().Draw(t, "new payload") {
		m.Payload = other.Payload
	}
	for k, v := range m.Metadata {
		switch rapid.IntRange(0, 3).Draw(t, "entry") {
		case 0:
			delete(m.Metadata, k)
		case 1:
			m.Metadata[k] = v + "+"
		}
	}
	if rapid.Bool().Draw(t, "new entries") {
		maps.Copy(m.Metadata, other.Metadata)
	}
	return []*message.Message{m}
}

// What comes of a message at the host is what the transform has made of it, and
// on the wire it is what the generated code reads and writes.
func TestMadeIsPlainProtobuf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msgs := rapid.SliceOfN(rapid.Custom(drawMessage), 0, 6).Draw(t, "batch")
		if len(msgs) > 0 && rapid.Bool().Draw(t, "many entries") {
			for i := range manyEntries {
				msgs[0].Metadata[fmt.Sprint(i)] = ""
			}
		}
		batch := received(t, msgs...)
		f := NewMade(3)
		var want []Result
		for i, m := range batch.Messages {
			var r Result
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				r.Filtered = rapid.SampledFrom([]string{"old", strings.Repeat("r", 200)}).Draw(t, "reason")
				f.AddFiltered(r.Filtered)
			case 1:
				err := errors.New(rapid.SampledFrom([]string{"broken", strings.Repeat("e", 5000)}).Draw(t, "text"))
				if rapid.Bool().Draw(t, "fatal") {
					err = feed.ConnectionFatal(err)
				}
				if rapid.Bool().Draw(t, "permanent") {
					err = feed.Permanent(err)
				}
				r.Failure = FailureOf(err)
				f.AddFailed(r.Failure)
			case 2:
				if err := f.AddMade(batch, i, nil); err != nil {
					t.Fatal(err)
				}
			default:
				r.Messages = drawMade(t, m)
				if err := f.AddMade(batch, i, r.Messages); err != nil {
					t.Fatal(err)
				}
			}
			want = append(want, r)
		}
		var read pluginpb.TransformResponse
		if err := proto.Unmarshal(sent(f), &read); err != nil {
			t.Fatal(err)
		}
		written, err := proto.Marshal(&read)
		if err != nil {
			t.Fatal(err)
		}
		var got TransformResponse
		if err := got.unmarshal(written); err != nil {
			t.Fatal(err)
		}
		if !got.IsMade || got.Number != 3 || len(got.Results) != len(want) {
			t.Fatalf("decoded %+v", got)
		}
		for i, r := range got.Results {
			w := want[i]
			if r.IsChanged {
				r.Changed.Apply(msgs[i])
				r.Messages = []*message.Message{msgs[i]}
			}
			if r.Filtered != w.Filtered || r.Failure != w.Failure || len(r.Messages) != len(w.Messages) {
				t.Fatalf("result %d: got %+v, want %+v", i, r, w)
			}
			for j, m := range r.Messages {
				same(t, m, w.Messages[j].UUID, w.Messages[j].Payload, w.Messages[j].Metadata)
			}
		}
	})
}

// A message that goes on as it was takes a few bytes.
func TestUnchangedIsShort(t *testing.T) {
	batch := received(t, &message.Message{UUID: "id", Payload: make([]byte, 1000), Metadata: message.Metadata{"topic": "a/b", "time": "now"}})
	f := NewMade(1)
	before := f.Len()
	if err := f.AddMade(batch, 0, batch.Messages); err != nil {
		t.Fatal(err)
	}
	if n := f.Len() - before; n > 6 {
		t.Errorf("it takes %d bytes", n)
	}
	batch.Messages[0].Metadata["topic"] = "c"
	before = f.Len()
	if err := f.AddMade(batch, 0, batch.Messages); err != nil {
		t.Fatal(err)
	}
	if n := f.Len() - before; n > 20 {
		t.Errorf("with a new topic it takes %d bytes", n)
	}
}

// A message that cannot be sent leaves the frame as it was.
func TestFrameRefuses(t *testing.T) {
	good := &message.Message{UUID: "a", Payload: []byte("1")}
	batch := received(t, good)
	many := &message.Message{Metadata: message.Metadata{}}
	for i := range maxEntries + 1 {
		many.Metadata[strings.Repeat("k", i)] = ""
	}
	for name, bad := range map[string]*message.Message{
		"nil": nil, "id": {UUID: "\xff"}, "key": {Metadata: message.Metadata{"\xff": ""}}, "value": {Metadata: message.Metadata{"k": "\xff"}}, "many": many,
	} {
		for kind, add := range map[string]func(*Frame, *message.Message) error{
			"batch":    (*Frame).AddMessage,
			"made":     func(f *Frame, m *message.Message) error { return f.AddMade(batch, 0, []*message.Message{good, m}) },
			"changed":  func(f *Frame, m *message.Message) error { return f.AddMade(batch, 0, []*message.Message{m}) },
			"delivery": func(f *Frame, m *message.Message) error { return f.AddDelivery(feed.Delivery{Message: m}) },
		} {
			f := NewBatch(1)
			if err := f.AddMessage(good); err != nil {
				t.Fatal(err)
			}
			before := f.Len()
			if err := add(f, bad); err == nil || f.Len() != before {
				t.Errorf("%s %s: %v, %d bytes, were %d", kind, name, err, f.Len(), before)
			}
			f.Discard()
		}
	}
}
