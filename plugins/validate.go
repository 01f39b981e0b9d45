package plugins

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Validate implements the protocol.
func (s *Server) Validate(_ context.Context, r *pluginpb.ValidateRequest) (*pluginpb.ValidateResponse, error) {
	f, ok := s.registry.Lookup(wire.FromKind(r.Kind), r.Stage)
	if !ok {
		return nil, status.Errorf(codes.NotFound, "there is no stage %q of the kind %v", r.Stage, r.Kind)
	}
	c, err := decode(f, r.Configuration)
	if err != nil {
		return &pluginpb.ValidateResponse{Problems: problems(err)}, nil
	}
	return &pluginpb.ValidateResponse{Use: use(c)}, nil
}

// decode makes a stage's configuration of JSON and validates it.
func decode(f feed.Factory, document []byte) (c feed.StageConfig, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = feed.Recovered("the configuration of "+f.Name, p)
		}
	}()
	return config.DecodeStage(f, document)
}

// problems lists what is wrong with a configuration.
func problems(err error) []*pluginpb.Problem {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*pluginpb.Problem
		for _, e := range joined.Unwrap() {
			all = append(all, problems(e)...)
		}
		return all
	}
	var ce *feed.ConfigError
	if !errors.As(err, &ce) {
		return []*pluginpb.Problem{{Problem: wire.Text(err.Error())}}
	}
	return []*pluginpb.Problem{{Key: wire.Text(ce.Key), At: uint32(max(ce.At, 0)), Problem: wire.Text(ce.Problem), Remedy: wire.Text(ce.Remedy)}}
}

// use says what a route must know of a stage.
func use(c feed.StageConfig) *pluginpb.Use {
	u := &pluginpb.Use{}
	if w, ok := c.(feed.WindowConfig); ok {
		u.Window = uint32(max(w.Window(), 0))
	}
	if f, ok := c.(feed.FanOutConfig); ok {
		u.FanOut = f.FanOut()
	}
	if d, ok := c.(feed.DurableConfig); ok {
		u.NotDurable = !d.Durable()
	}
	if a, ok := c.(feed.AckTimeoutConfig); ok {
		u.AckTimeoutNanos = int64(a.AckTimeout())
	}
	if e, ok := c.(feed.EndpointConfig); ok {
		u.Reads, u.Writes = e.Reads(), e.Writes()
	}
	return u
}
