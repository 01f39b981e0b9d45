package plugins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
)

// Serve serves stages to the feed that has started this process, until that lets
// go of it, and is the whole main of a plugin. Name and version are for people.
// It ends the process with status 1 when a person has started it, or when two
// factories are of one kind and name.
func Serve(name, version string, factories ...feed.Factory) {
	if os.Getenv(wire.Handshake.MagicCookieKey) != wire.Handshake.MagicCookieValue {
		fmt.Fprintf(os.Stderr, "%s %s is a plugin: a feed starts it. Name it below plugins: in feed.yaml; feed plugins ls shows what it has.\n", name, version)
		os.Exit(1)
	}
	stdout, stderr := os.Stdout, os.Stderr
	ours := sync.OnceFunc(func() { os.Stdout, os.Stderr = stdout, stderr })
	server, err := NewServer(name, version, slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug})), factories...)
	if err != nil {
		fmt.Fprintf(stderr, "plugin %s %s: %v\n", name, version, err)
		os.Exit(1)
	}
	// Most of what a plugin allocates is the messages that pass through. Without
	// memory of its own its heap is so small that it is collected every few
	// batches, for a fifth and more of its CPU time. This is never written to, and
	// so takes none of the machine's.
	ballast := make([]byte, 32<<20)
	defer runtime.KeepAlive(ballast)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: map[int]plugin.PluginSet{wire.Version: {wire.ServiceName: served{server: server}}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			// Before it answers, go-plugin has put pipes in the place of the standard
			// streams, out of which it sends to the host at leisure: the last words of a
			// process that ends would be lost. The first call puts back what was there.
			return grpc.NewServer(append(append(opts, wire.ServerOptions()...),
				grpc.ChainUnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
					ours()
					return handle(ctx, r)
				}),
				grpc.ChainStreamInterceptor(func(s any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
					ours()
					return handle(s, stream)
				}))...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{Name: name, Level: hclog.Warn, Output: stderr, JSONFormat: true}),
	})
}

// served is the server as go-plugin takes it.
type served struct {
	plugin.NetRPCUnsupportedPlugin
	server *Server
}

// GRPCServer implements [plugin.GRPCPlugin].
func (s served) GRPCServer(_ *plugin.GRPCBroker, to *grpc.Server) error {
	s.server.register(to)
	return nil
}

// GRPCClient implements [plugin.GRPCPlugin].
func (served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin has no client")
}
