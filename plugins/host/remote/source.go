package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Source is a source of a plugin: a [feed.BatchSubscriber] with one subscription at
// a time.
type Source struct {
	plain *feed.HandOuts // for Subscribe

	mu       sync.Mutex
	instance *instance
	current  *subscription
	closed   bool
}

var _ feed.BatchSubscriber = (*Source)(nil)

// Source returns a source of the plugin. It is opened when it is first subscribed to.
// The configuration is a JSON object.
func (p *Plugin) Source(stage string, configuration []byte, env feed.StageEnv) *Source {
	return &Source{instance: p.instance(sourceProtocol, stage, configuration, env), plain: feed.NewHandOuts(errSourceClosed)}
}

var sourceProtocol = protocol{
	kind: feed.KindSource,
	begin: func(ctx context.Context, c pluginpb.StagesClient, opts []grpc.CallOption) (grpc.ClientStream, error) {
		return c.Source(ctx, opts...)
	},
	open: func(s grpc.ClientStream, o *pluginpb.Open) (*pluginpb.Opened, error) {
		if err := s.SendMsg(&pluginpb.SourceRequest{Request: &pluginpb.SourceRequest_Open{Open: o}}); err != nil {
			return nil, err
		}
		var r pluginpb.SourceResponse
		err := s.RecvMsg(&r)
		return r.GetOpened(), err
	},
}

var errSourceClosed = errors.New("the source is closed")

// Subscribe implements [message.Subscriber]: one message at a time, for programs that
// do not run a route.
func (s *Source) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.plain.Subscribe(ctx, func(ctx context.Context) (feed.Subscription, error) { return s.SubscribeBatch(ctx, topic) }, nil)
}

// SubscribeBatch implements [feed.BatchSubscriber]. A subscription that is still open
// is closed first.
func (s *Source) SubscribeBatch(ctx context.Context, topic string) (feed.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, feed.Permanent(errSourceClosed)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.current != nil {
		_ = s.current.Close() // what could not be told comes again
		s.current = nil
	}
	if err := s.instance.ready(ctx); err != nil {
		return nil, err
	}
	sub := newSubscription(s.instance)
	answer, err := sub.ask(ctx, &pluginpb.SourceRequest{Request: &pluginpb.SourceRequest_Subscribe{Subscribe: &pluginpb.Subscribe{Topic: topic}}})
	if err != nil {
		sub.abandon()
		return nil, err
	}
	subscribed := answer.GetSubscribed()
	if err := wire.FailureFrom(subscribed.GetFailure()).Err(); err != nil {
		return nil, errors.Join(err, sub.Close())
	}
	sub.grant()
	s.current = sub
	if subscribed.Describe {
		return describing{sub}, nil
	}
	return sub, nil
}

// Close implements [message.Subscriber]. It closes the subscription, and waits until
// the plugin has let go of what the source holds. Idempotent.
func (s *Source) Close() error {
	s.plain.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.current != nil {
		err = s.current.Close()
	}
	return errors.Join(err, s.instance.end())
}

// describing is a subscription whose plugin describes its deliveries.
type describing struct{ *subscription }

var _ feed.Describer = describing{}

// Describe implements [feed.Describer]. When the process has died, nothing can be
// described any more.
func (d describing) Describe(tag uint64) (feed.Original, error) {
	answer, err := d.ask(context.Background(), &pluginpb.SourceRequest{Request: &pluginpb.SourceRequest_Describe{Describe: &pluginpb.DescribeDelivery{Tag: tag}}})
	if err != nil {
		return feed.Original{}, err
	}
	o := answer.GetOriginal()
	if err := wire.FailureFrom(o.GetFailure()).Err(); err != nil {
		return feed.Original{}, fmt.Errorf("describe delivery %d: %w", tag, err)
	}
	return feed.Original{Payload: o.Payload, Format: o.Format, Properties: o.Properties, Origin: o.Origin}, nil
}
