package wire

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// codec encodes and decodes what this package knows by hand, and all else as gRPC
// does. On the wire there is no difference: its name is that of gRPC's own.
type codec struct{}

// incoming is decoded by hand.
type incoming interface {
	// unmarshal retains nothing of b.
	unmarshal(b []byte) error
}

func (codec) Name() string { return proto.Name }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*Frame); ok {
		return f.buffers(), nil
	}
	return encoding.GetCodecV2(proto.Name).Marshal(v)
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(incoming)
	if !ok {
		return encoding.GetCodecV2(proto.Name).Unmarshal(data, v)
	}
	b := data.MaterializeToBuffer(bodyPool{})
	defer b.Free()
	return in.unmarshal(b.ReadOnlyData())
}
