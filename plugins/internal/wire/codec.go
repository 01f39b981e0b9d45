package wire

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// codec encodes and decodes what this package knows by hand, and all else as gRPC
// does. On the wire there is no difference: its name is that of gRPC's own.
type codec struct{}

// incoming is decoded by hand.
type incoming interface {
	// unmarshal retains nothing of b.
	unmarshal(b []byte) error
}

func (codec) Name() string { return grpcproto.Name }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*Frame); ok {
		return f.buffers(), nil
	}
	return encoding.GetCodecV2(grpcproto.Name).Marshal(v)
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	b := data.MaterializeToBuffer(bodyPool{})
	defer b.Free()
	switch v := v.(type) {
	case incoming:
		return v.unmarshal(b.ReadOnlyData())
	case proto.Message:
		return unmarshalBounded(b.ReadOnlyData(), v)
	}
	return fmt.Errorf("%T is no message of the protocol", v)
}
