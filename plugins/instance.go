package plugins

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// errNotOpened answers a call that does not begin with Open.
var errNotOpened = status.Error(codes.InvalidArgument, "the first request of a call is Open")

// unknownRequest answers a request that cannot be answered otherwise.
func unknownRequest(r any) error {
	return status.Errorf(codes.Unimplemented, "there is no answer to %T here", r)
}

// open makes an instance of a stage.
func open[S any](s *Server, kind feed.Kind, o *pluginpb.Open, make func(feed.Factory, feed.StageConfig, feed.StageEnv) (S, error)) (stage S, log *slog.Logger, err error) {
	f, ok := s.registry.Lookup(kind, o.Stage)
	if !ok {
		return stage, s.log, feed.Permanent(fmt.Errorf("plugin %s has no %s %q", s.name, kind, o.Stage))
	}
	c, err := decode(f, o.Configuration)
	if err != nil {
		return stage, s.log, feed.Permanent(err)
	}
	log = s.log.With("stage", o.Stage, "feed", o.Feed, "route", o.Route)
	defer func() {
		if p := recover(); p != nil {
			err = feed.Permanent(feed.Recovered("the constructor of "+f.Name, p))
			tellPanic(log, err)
		}
	}()
	stage, err = make(f, c, feed.StageEnv{Feed: o.Feed, Route: o.Route, Logger: log, Trial: o.Trial})
	return stage, log, err
}

// tellPanic logs the stack of an error that is a panic: what goes to the host is the
// place alone.
func tellPanic(log *slog.Logger, err error) {
	if p := (*feed.PanicError)(nil); errors.As(err, &p) {
		log.Error("a stage panicked", "panic", p.Error(), "stack", p.Stack)
	}
}

// opened answers Open.
func opened(err error) *pluginpb.Opened {
	return &pluginpb.Opened{Failure: wire.FailureOf(err).Proto()}
}

// release closes what an instance holds.
func release(log *slog.Logger, c io.Closer) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("close panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if err := c.Close(); err != nil {
		log.Warn("close failed", "error", err)
	}
}

// ended is why a call ends once nothing more can be received: nil when the host
// has ended it.
func ended(err error) error {
	if err == io.EOF { //nolint:errorlint // gRPC returns it bare
		return nil
	}
	return err
}
