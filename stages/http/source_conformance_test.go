package http

import (
	"bytes"
	"context"
	nethttp "net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

func TestSourceConformance(t *testing.T) {
	feedtest.TestSource(t, func(t *testing.T) feedtest.SourceUnderTest {
		const window = 16
		s := openSource(t, func(c *SourceConfig) { c.MaxPending, c.Timeout = window, time.Minute })
		// It listens from the first subscription on.
		sub, err := s.SubscribeBatch(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.Close(); err != nil {
			t.Fatal(err)
		}
		p := &posting{url: address(s), source: s, ctx: t.Context()}
		t.Cleanup(p.clients.Wait)
		return feedtest.SourceUnderTest{
			Source: s, Window: window,
			Put:  p.put,
			Left: func(testing.TB) int { return s.backlog.left() + p.unsent() },
		}
	})
}

// posting sends each message in a request of its own that waits for its answer,
// and the next when the one before has come in.
type posting struct {
	url    string
	source *Source
	ctx    context.Context //nolint:containedctx // that of the test

	clients sync.WaitGroup
	mu      sync.Mutex
	queue   [][]byte
	sending bool
}

func (p *posting) unsent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue)
}

// put returns when all are in, or the source is full; then the rest follows as
// there is room.
func (p *posting) put(t testing.TB, payloads ...[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, payloads...)
	p.sendWhatFits(t)
	if len(p.queue) > 0 && !p.sending {
		p.sending = true
		p.clients.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
				case <-p.source.lifetime.Done():
					return
				}
				p.mu.Lock()
				p.sendWhatFits(t)
				p.mu.Unlock()
			}
		})
	}
}

// sendWhatFits is called with mu held.
func (p *posting) sendWhatFits(t testing.TB) {
	for len(p.queue) > 0 {
		payload := p.queue[0]
		answered := make(chan int, 1)
		p.clients.Go(func() { answered <- postUntil(p.source.lifetime, t, p.url, payload) })
		if !p.entered(payload, answered) {
			return
		}
		p.queue = p.queue[1:]
	}
}

// entered waits until the request is in, or was refused.
func (p *posting) entered(payload []byte, answered <-chan int) bool {
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	for {
		if p.source.holds(payload) {
			return true
		}
		select {
		case status := <-answered:
			return status == nethttp.StatusOK
		case <-tick.C:
		}
	}
}

// holds reports whether a payload waits or was handed out.
func (s *Source) holds(payload []byte) bool {
	is := func(it *item) bool { return it != nil && bytes.Equal(it.payload, payload) }
	s.mu.Lock()
	u := s.current
	s.mu.Unlock()
	if u != nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		if slices.ContainsFunc(u.out, is) {
			return true
		}
	}
	s.backlog.mu.Lock()
	defer s.backlog.mu.Unlock()
	return slices.ContainsFunc(s.backlog.waiting, is)
}

// postUntil returns the status of the answer; 0 when the source was closed.
func postUntil(ctx context.Context, t testing.TB, url string, payload []byte) int {
	req, err := nethttp.NewRequestWithContext(context.WithoutCancel(ctx), nethttp.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		t.Error(err)
		return 0
	}
	client := nethttp.Client{Transport: &nethttp.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			t.Error(err)
		}
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func openSource(t *testing.T, edit func(*SourceConfig)) *Source {
	t.Helper()
	c := DefaultSourceConfig()
	c.Listen = "127.0.0.1:0"
	if edit != nil {
		edit(&c)
	}
	s, err := NewSource(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func address(s *Source) string { return "http://" + s.server.address() + s.config.Path }
