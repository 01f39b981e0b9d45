package wire

import (
	"google.golang.org/grpc"
)

const (
	// MaxMessage is the longest message of the protocol, in bytes.
	MaxMessage = 64 << 20
	// MaxBatch is the longest batch for a transform, in bytes, unless a single
	// message is longer.
	MaxBatch = 4 << 20
	// MaxSent is the longest batch of one message, in bytes.
	MaxSent = MaxMessage - 1<<10
	// MaxMade bounds what is made of one message: with a batch before it, it is
	// still a message of the protocol.
	MaxMade = MaxMessage - 2*MaxBatch

	// A window that no batch fills: otherwise each one waits for the other end
	// to grant more, several times.
	window = 16 << 20
	// As long as a batch of a few hundred messages, for few system calls.
	buffer = 256 << 10
)

// DialOptions are those of a connection to a plugin.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithReadBufferSize(buffer),
		grpc.WithWriteBufferSize(buffer),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{})),
	}
}

// CallOptions are those of a call of a plugin that takes answers of at most
// maxBytes, or [MaxMessage] when that is 0.
func CallOptions(maxBytes int) []grpc.CallOption {
	if maxBytes == 0 {
		maxBytes = MaxMessage
	}
	return []grpc.CallOption{grpc.MaxCallRecvMsgSize(maxBytes), grpc.MaxCallSendMsgSize(MaxMessage)}
}

// ServerOptions are those of a plugin's server.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxSendMsgSize(MaxMessage),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.ReadBufferSize(buffer),
		grpc.WriteBufferSize(buffer),
	}
}
