package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// ErrClosed is returned by what was closed.
var ErrClosed = errors.New("http: closed")

// errBusy says that there is a subscription already.
var errBusy = errors.New("http: another subscription is open")

// Source takes messages from HTTP requests. It listens from the first
// subscription on until it is closed, also while none is open. It is safe for
// concurrent use.
type Source struct {
	config  SourceConfig
	log     *slog.Logger
	events  *feed.EventCounts
	backlog *backlog
	plain   *feed.HandOuts // Subscribe's

	// lifetime ends with Close.
	lifetime context.Context
	end      context.CancelFunc

	mu      sync.Mutex
	server  *server // nil: does not listen yet
	current *subscription
}

var (
	_ feed.BatchSubscriber = (*Source)(nil)
	_ message.Subscriber   = (*Source)(nil)
	_ feed.EventCounter    = (*Source)(nil)
)

// NewSource returns a source that does not listen yet. It fails with what
// [SourceConfig.Validate] reports.
func NewSource(c SourceConfig, env feed.StageEnv) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	log := env.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Source{config: c, log: log, events: newSourceEvents(), backlog: newBacklog(c.MaxPending), plain: feed.NewHandOuts(ErrClosed)}
	s.lifetime, s.end = context.WithCancel(context.Background())
	return s, nil
}

// SubscribeBatch begins with what earlier subscriptions gave back. The topic is
// of no concern. It fails while another subscription is open, and when the
// address cannot be listened on.
func (s *Source) SubscribeBatch(ctx context.Context, _ string) (feed.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lifetime.Err() != nil:
		return nil, ErrClosed
	case s.current != nil:
		return nil, errBusy
	}
	if s.server == nil {
		server, err := listen(ctx, s.config, s.backlog, s.log, s.events)
		if err != nil {
			return nil, err
		}
		s.server = server
		s.log.Info("listening", "address", server.address(), "path", s.config.Path, "tls", s.config.TLS.CertFile != "")
	}
	s.current = newSubscription(s)
	return s.current, nil
}

// released is called by the subscription when it ends.
func (s *Source) released(u *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == u {
		s.current = nil
	}
}

// Close answers the requests that wait with 503 and stops listening. It waits
// for the source's goroutines. Idempotent.
func (s *Source) Close() error {
	s.mu.Lock()
	s.end()
	current, server := s.current, s.server
	s.mu.Unlock()
	s.backlog.close()
	if current != nil {
		// It cannot fail.
		_ = current.Close()
	}
	s.plain.Close()
	if server == nil {
		return nil
	}
	if err := server.close(); err != nil {
		return fmt.Errorf("http: close: %w", err)
	}
	return nil
}
