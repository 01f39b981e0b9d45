package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Codec is a codec of a plugin. It is safe for concurrent use; calls take turns.
type Codec struct {
	name string

	mu       sync.Mutex
	instance *instance
	suspects *suspects
	closed   bool
}

var (
	_ batch.Instance = (*Codec)(nil)
	_ feed.Prober    = (*Codec)(nil)
)

// Codec returns a codec of the plugin. It is opened when it is first used. The
// configuration is a JSON object.
func (p *Plugin) Codec(stage string, configuration []byte, env feed.StageEnv) *Codec {
	return &Codec{name: stage, instance: p.instance(codecProtocol, stage, configuration, env), suspects: newSuspects()}
}

var codecProtocol = protocol{
	kind: feed.KindCodec,
	begin: func(ctx context.Context, c pluginpb.StagesClient, opts []grpc.CallOption) (grpc.ClientStream, error) {
		return c.Codec(ctx, opts...)
	},
	open: func(s grpc.ClientStream, o *pluginpb.Open) (*pluginpb.Opened, error) {
		if err := s.SendMsg(&pluginpb.CodecRequest{Request: &pluginpb.CodecRequest_Open{Open: o}}); err != nil {
			return nil, err
		}
		var r pluginpb.CodecResponse
		err := s.RecvMsg(&r)
		return r.GetOpened(), err
	},
}

var errCodecClosed = errors.New("the codec is closed")

// Name implements [batch.Codec].
func (c *Codec) Name() string { return c.name }

// Append implements [batch.Codec].
func (c *Codec) Append(dst []byte, rs []reading.Reading) ([]byte, error) {
	request := &pluginpb.Encode{Readings: make([]*pluginpb.Reading, len(rs))}
	for i := range rs {
		request.Readings[i] = wire.ReadingProto(&rs[i])
	}
	answer, err := c.ask(&pluginpb.CodecRequest{Request: &pluginpb.CodecRequest_Encode{Encode: request}}, func(r *pluginpb.CodecResponse) error {
		if r.GetEncoded() == nil {
			return wrongf("not a body")
		}
		return nil
	})
	if err != nil {
		return dst, err
	}
	encoded := answer.GetEncoded()
	if err := wire.FailureFrom(encoded.Failure).Err(); err != nil {
		return dst, err
	}
	return append(dst, encoded.Body...), nil
}

// Decode implements [batch.Codec]. A *[batch.Unavailable] says that no process could
// be asked.
func (c *Codec) Decode(dst []reading.Reading, body []byte, l batch.Limits) ([]reading.Reading, error) {
	answer, err := c.ask(&pluginpb.CodecRequest{Request: &pluginpb.CodecRequest_Decode{Decode: &pluginpb.Decode{
		Body: body, MaxBytes: uint64(max(l.MaxBytes, 0)), MaxRatio: uint32(max(l.MaxRatio, 0)), MaxReadings: uint32(max(l.MaxReadings, 0)), MaxText: uint32(max(l.MaxText, 0)),
	}}}, func(r *pluginpb.CodecResponse) error {
		if r.GetDecoded() == nil {
			return wrongf("no readings")
		}
		return nil
	})
	if err != nil {
		return dst, err
	}
	decoded := answer.GetDecoded()
	texts := 0
	for i, p := range decoded.Readings {
		r, err := wire.ReadingFrom(p)
		if err != nil {
			return dst, &batch.Corrupt{Reason: batch.ReasonReading, Err: fmt.Errorf("reading %d: %w", i, err)}
		}
		texts += len(r.Value.Text())
		switch {
		case l.MaxReadings > 0 && i >= l.MaxReadings:
			return dst, &batch.Corrupt{Reason: batch.ReasonLimits, Err: fmt.Errorf("more than %d readings", l.MaxReadings)}
		case l.MaxText > 0 && len(r.Value.Text()) > l.MaxText:
			return dst, &batch.Corrupt{Reason: batch.ReasonLimits, Err: fmt.Errorf("reading %d: a text of %d bytes is more than %d", i, len(r.Value.Text()), l.MaxText)}
		case l.MaxBytes > 0 && texts > l.MaxBytes:
			return dst, &batch.Corrupt{Reason: batch.ReasonLimits, Err: fmt.Errorf("the texts together are more than %d bytes", l.MaxBytes)}
		}
		dst = append(dst, r)
	}
	failure := wire.FailureFrom(decoded.Failure).Err()
	switch {
	case failure == nil:
		return dst, nil
	case !feed.IsPermanent(failure):
		return dst, &batch.Unavailable{Err: failure}
	}
	reason := batch.ReasonBody
	for _, known := range []batch.Reason{batch.ReasonTruncated, batch.ReasonChecksum, batch.ReasonReading, batch.ReasonLimits, batch.ReasonFormat} {
		if decoded.Reason == string(known) {
			reason = known
		}
	}
	return dst, &batch.Corrupt{Reason: reason, Err: failure}
}

// Probe implements [feed.Prober]: it looks for a process in which the codec is open.
func (c *Codec) Probe(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errCodecClosed
	}
	leave, err := c.instance.enter(ctx, false)
	if err != nil {
		return err
	}
	leave()
	return nil
}

// ask asks for an answer, again when the process has died, with nothing else beside
// it. What kills it twice that way is refused.
func (c *Codec) ask(request *pluginpb.CodecRequest, check func(*pluginpb.CodecResponse) error) (*pluginpb.CodecResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errCodecClosed
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return nil, err
	}
	if long := len(encoded); long > wire.MaxSent {
		return nil, fmt.Errorf("it cannot be sent to plugin %s: it is %d bytes long, more than %d", c.instance.plugin.name, long, wire.MaxSent)
	}
	for {
		suspect := !c.suspects.none() && c.suspects.has(c.suspects.key(encoded))
		leave, err := c.instance.enter(context.Background(), suspect)
		if err != nil {
			return nil, &batch.Unavailable{Err: err}
		}
		answer, err := c.exchange(request, check)
		leave()
		var death *diedError
		switch {
		case err == nil:
			if suspect {
				c.suspects.passed(c.suspects.key(encoded))
			}
			return answer, nil
		case !errors.As(err, &death):
			return nil, &batch.Unavailable{Err: err}
		}
		if condemned := c.suspects.died([]uint64{c.suspects.key(encoded)}, suspect, death); condemned != nil {
			return nil, condemned
		}
	}
}

func (c *Codec) exchange(request *pluginpb.CodecRequest, check func(*pluginpb.CodecResponse) error) (*pluginpb.CodecResponse, error) {
	i := c.instance
	var answer pluginpb.CodecResponse
	err := i.within(context.Background(), i.plugin.limits.Timeout, func() error {
		if err := i.call.send(request); err != nil {
			return err
		}
		if err := i.call.RecvMsg(&answer); err != nil {
			return err
		}
		return check(&answer)
	})
	return &answer, err
}

// Close implements io.Closer. It waits until the plugin has let go of what the codec
// holds. Idempotent.
func (c *Codec) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.instance.end()
}
