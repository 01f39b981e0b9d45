package plugins

import (
	"errors"
	"fmt"

	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Codec implements the protocol.
func (s *Server) Codec(stream grpc.BidiStreamingServer[pluginpb.CodecRequest, pluginpb.CodecResponse]) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	first := request.GetOpen()
	if first == nil {
		return errNotOpened
	}
	codec, log, err := open(s, feed.KindCodec, first, batch.NewCodec)
	if err == nil {
		defer release(log, codec)
		if codec.Name() != first.Stage {
			err = feed.Permanent(fmt.Errorf("codec %s calls itself %s: in a plugin both names are the same", first.Stage, codec.Name()))
		}
	}
	sendErr := stream.Send(&pluginpb.CodecResponse{Response: &pluginpb.CodecResponse_Opened{Opened: opened(err)}})
	if err != nil {
		return sendErr
	}
	for sendErr == nil {
		request, err := stream.Recv()
		if err != nil {
			return ended(err)
		}
		switch r := request.Request.(type) {
		case *pluginpb.CodecRequest_Decode:
			sendErr = stream.Send(&pluginpb.CodecResponse{Response: &pluginpb.CodecResponse_Decoded{Decoded: decodeBody(codec, r.Decode)}})
		case *pluginpb.CodecRequest_Encode:
			sendErr = stream.Send(&pluginpb.CodecResponse{Response: &pluginpb.CodecResponse_Encoded{Encoded: encodeBody(codec, r.Encode)}})
		default:
			return unknownRequest(r)
		}
	}
	return sendErr
}

func decodeBody(codec batch.Codec, r *pluginpb.Decode) *pluginpb.Decoded {
	limits := batch.Limits{MaxBytes: int(r.MaxBytes), MaxRatio: int(r.MaxRatio), MaxReadings: int(r.MaxReadings), MaxText: int(r.MaxText)}
	var rs []reading.Reading
	err := guard("decode", func() (err error) {
		rs, err = codec.Decode(nil, r.Body, limits)
		return err
	})
	answer := &pluginpb.Decoded{Readings: make([]*pluginpb.Reading, len(rs))}
	for i := range rs {
		if invalid := rs[i].Validate(); invalid != nil {
			answer.Readings = answer.Readings[:i]
			err = errors.Join(&batch.Corrupt{Reason: batch.ReasonReading, Err: fmt.Errorf("reading %d: %w", i, invalid)}, err)
			break
		}
		answer.Readings[i] = wire.ReadingProto(&rs[i])
	}
	if err == nil {
		return answer
	}
	var unavailable *batch.Unavailable
	var corrupt *batch.Corrupt
	switch {
	case errors.As(err, &unavailable):
		answer.Failure = wire.FailureOf(err).Proto()
	case errors.As(err, &corrupt):
		answer.Reason = string(corrupt.Reason)
		answer.Failure = wire.FailureOf(feed.Permanent(corrupt.Err)).Proto()
	default:
		answer.Failure = wire.FailureOf(feed.Permanent(err)).Proto()
	}
	return answer
}

func encodeBody(codec batch.Codec, r *pluginpb.Encode) *pluginpb.Encoded {
	rs := make([]reading.Reading, len(r.Readings))
	for i, p := range r.Readings {
		var err error
		if rs[i], err = wire.ReadingFrom(p); err != nil {
			return &pluginpb.Encoded{Failure: wire.FailureOf(feed.Permanent(fmt.Errorf("reading %d: %w", i, err))).Proto()}
		}
	}
	var body []byte
	err := guard("encode", func() (err error) {
		body, err = codec.Append(nil, rs)
		return err
	})
	if err != nil {
		return &pluginpb.Encoded{Failure: wire.FailureOf(err).Proto()}
	}
	return &pluginpb.Encoded{Body: body}
}
