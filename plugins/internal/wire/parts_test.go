package wire

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// within puts content into the field of the given number, once for each number.
func within(content []byte, numbers ...protowire.Number) []byte {
	for _, n := range numbers {
		content = protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), content)
	}
	return content
}

// Few bytes do not become much memory, in whatever message the lists of nothing are.
func TestListsOfNothing(t *testing.T) {
	for _, c := range []struct {
		list   string
		into   proto.Message
		number protowire.Number   // of the list
		within []protowire.Number // from inside to outside
	}{
		{"failures", &pluginpb.SinkResponse{}, 2, []protowire.Number{2}},
		{"readings", &pluginpb.CodecResponse{}, 1, []protowire.Number{2}},
		{"records", &pluginpb.ExpectationResponse{}, 1, []protowire.Number{3}},
		{"unreadable", &pluginpb.ExpectationResponse{}, 2, []protowire.Number{3}},
		{"lost", &pluginpb.ExpectationResponse{}, 9, []protowire.Number{1}},
		{"problems", &pluginpb.ValidateResponse{}, 1, nil},
		{"reads", &pluginpb.ValidateResponse{}, 5, []protowire.Number{2}},
		{"stages", &pluginpb.DescribeResponse{}, 3, nil},
		{"keys", &pluginpb.DescribeResponse{}, 4, []protowire.Number{3}},
		{"values", &pluginpb.DescribeResponse{}, 6, []protowire.Number{4, 3}},
	} {
		t.Run(c.list, func(t *testing.T) {
			list := func(parts int) []byte { return within(bytes.Repeat(within(nil, c.number), parts), c.within...) }
			of, around := c.into.ProtoReflect().Descriptor(), 2 // lists around it, at most
			if err := newCounter(100).count(list(100-around), of); err != nil {
				t.Errorf("%d parts where 100 are allowed: %v", 100-around, err)
			}
			if err := newCounter(100).count(list(101), of); err == nil {
				t.Error("101 parts are decoded where 100 are allowed")
			}
		})
	}
}

// The codec counts what is long.
func TestCodecCountsParts(t *testing.T) {
	b := bytes.Repeat(within(nil, 1), maxParts+1) // problems
	err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(b)}, &pluginpb.ValidateResponse{})
	if want := "it has more than 1048576 parts of lists"; err == nil || err.Error() != want {
		t.Errorf("it returned %v, want %s", err, want)
	}
}

// What is counted first is decoded as it is otherwise, and what is damaged is refused.
func TestLongMessages(t *testing.T) {
	want := &pluginpb.CodecResponse{Response: &pluginpb.CodecResponse_Decoded{Decoded: &pluginpb.Decoded{Reason: "reason"}}}
	for range 10_000 {
		want.GetDecoded().Readings = append(want.GetDecoded().Readings, &pluginpb.Reading{Device: "press7", Tag: "t", Time: 1, Value: &pluginpb.Reading_Text{Text: "on"}})
	}
	b, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got pluginpb.CodecResponse
	if err := unmarshalBounded(b, &got); err != nil || !proto.Equal(&got, want) {
		t.Errorf("%v, %d readings", err, len(got.GetDecoded().GetReadings()))
	}
	if err := unmarshalBounded(b[:len(b)-1], &got); err == nil {
		t.Error("a message that is cut short is decoded")
	}
	wrongType := append(bytes.Clone(b), within(nil, 99)...)
	wrongType = protowire.AppendVarint(protowire.AppendTag(wrongType, 2, protowire.VarintType), 7)
	if err := errors.Join(unmarshalBounded(wrongType, &got), proto.Unmarshal(wrongType, &got)); err != nil {
		t.Errorf("fields that are not known: %v", err)
	}
}
