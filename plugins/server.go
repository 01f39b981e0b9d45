package plugins

import (
	"context"
	"fmt"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Server answers a host for stages. [Serve] runs one; tests may run one within
// their own process, see package plugintest.
type Server struct {
	pluginpb.UnimplementedStagesServer

	name, version string
	log           *slog.Logger
	registry      *feed.Registry
	described     *pluginpb.DescribeResponse
}

// NewServer returns a server of the given stages. Two factories of one kind and
// name, or one of a kind that cannot be in a plugin, are an error.
func NewServer(name, version string, log *slog.Logger, factories ...feed.Factory) (*Server, error) {
	registry, err := feed.NewRegistry(factories...)
	if err != nil {
		return nil, err
	}
	s := &Server{name: name, version: version, log: log, registry: registry}
	s.described = &pluginpb.DescribeResponse{Name: name, Version: version}
	for _, f := range factories {
		kind := wire.ToKind(f.Kind)
		if kind == pluginpb.Kind_KIND_UNSPECIFIED {
			return nil, fmt.Errorf("%s %s: a plugin cannot have stages of this kind; it has sources, transforms, sinks, expectations and codecs", f.Kind, f.Name)
		}
		if !wire.IsStageName(f.Name) {
			return nil, fmt.Errorf("%s %q: not a name of a stage; use letters, digits, - and _, at most %d", f.Kind, f.Name, wire.LongestName)
		}
		stage, err := describe(kind, f)
		if err != nil {
			return nil, err
		}
		s.described.Stages = append(s.described.Stages, stage)
	}
	return s, nil
}

// GRPC returns a gRPC server that serves the stages.
func (s *Server) GRPC(opts ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append(wire.ServerOptions(), opts...)...)
	s.register(server)
	return server
}

// register adds the stages to a server that was made with [wire.ServerOptions].
func (s *Server) register(to grpc.ServiceRegistrar) { pluginpb.RegisterStagesServer(to, s) }

// Describe implements the protocol.
func (s *Server) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.DescribeResponse, error) {
	return s.described, nil
}

// Heartbeat implements the protocol.
func (s *Server) Heartbeat(context.Context, *pluginpb.HeartbeatRequest) (*pluginpb.HeartbeatResponse, error) {
	return &pluginpb.HeartbeatResponse{}, nil
}

func describe(kind pluginpb.Kind, f feed.Factory) (*pluginpb.Stage, error) {
	schema, err := config.StageSchema(f)
	if err != nil {
		return nil, err
	}
	stage := &pluginpb.Stage{Kind: kind, Name: f.Name, Summary: f.Summary, Schema: schema}
	for _, k := range config.Keys(f) {
		stage.Keys = append(stage.Keys, &pluginpb.Key{
			Path: k.Name, Type: k.Type, Default: k.Default, Required: k.Required, Doc: k.Doc, Values: k.Values,
		})
	}
	return stage, nil
}
