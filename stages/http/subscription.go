package http

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// origin says where a request came from. It is also the properties of its
// messages for the quarantine.
type origin struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Remote  string            `json:"remote"`
	Headers map[string]string `json:"headers"` // by their names in lower case
	Topic   string            `json:"topic"`
	Index   int               `json:"index"`
}

// subscription is one period of consuming.
type subscription struct {
	source *Source

	mu     sync.Mutex
	out    []*item // handed out; nil when settled
	first  uint64  // tag of out[0]
	closed bool
	done   chan struct{} // closed by Close
}

var (
	_ feed.Subscription = (*subscription)(nil)
	_ feed.Describer    = (*subscription)(nil)
)

func newSubscription(s *Source) *subscription {
	return &subscription{source: s, first: 1, done: make(chan struct{})}
}

// Receive implements [feed.Subscription].
func (u *subscription) Receive(ctx context.Context, dst []feed.Delivery, most int) ([]feed.Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return dst, err
		}
		got, err := u.receive(dst, most)
		if err != nil || len(got) > len(dst) {
			return got, err
		}
		select {
		case <-u.source.backlog.arrived:
		case <-u.done:
			return dst, ErrClosed
		case <-ctx.Done():
			return dst, ctx.Err()
		}
	}
}

func (u *subscription) receive(dst []feed.Delivery, most int) ([]feed.Delivery, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return dst, ErrClosed
	}
	for _, it := range u.source.backlog.take(most) {
		u.out = append(u.out, it)
		dst = append(dst, feed.Delivery{
			Message:     it.message(),
			Tag:         u.first + uint64(len(u.out)) - 1,
			Redelivered: it.again,
		})
	}
	return dst, nil
}

// message returns a new message, which its receiver may change.
func (it *item) message() *message.Message { return it.request.origin.message(it.payload) }

func (o *origin) message(payload []byte) *message.Message {
	md := make(message.Metadata, 2+len(o.Headers))
	maps.Copy(md, o.Headers)
	if t, ok := md[contentType]; ok {
		delete(md, contentType)
		md[feed.MetaContentType] = t
	}
	md[feed.MetaTopic] = o.Topic
	return &message.Message{Metadata: md, Payload: payload}
}

// Settle implements [feed.Subscription].
func (u *subscription) Settle(_ context.Context, settlements []feed.Settlement) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return ErrClosed
	}
	for _, s := range settlements {
		it, err := u.unsettled(s.Tag)
		if err != nil {
			return fmt.Errorf("http: settle: %w", err)
		}
		u.out[s.Tag-u.first] = nil
		u.source.backlog.settle(it, s.Outcome)
	}
	for len(u.out) > 0 && u.out[0] == nil {
		u.out = u.out[1:]
		u.first++
	}
	return nil
}

// unsettled is called with mu held.
func (u *subscription) unsettled(tag uint64) (*item, error) {
	if i := tag - u.first; tag >= u.first && i < uint64(len(u.out)) && u.out[i] != nil {
		return u.out[i], nil
	}
	return nil, fmt.Errorf("tag %d is not unsettled", tag)
}

// Describe implements [feed.Describer].
func (u *subscription) Describe(tag uint64) (feed.Original, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	it, err := u.unsettled(tag)
	if err != nil {
		return feed.Original{}, fmt.Errorf("http: describe: %w", err)
	}
	o := it.request.origin
	o.Index = it.index
	properties, err := json.Marshal(o)
	if err != nil {
		return feed.Original{}, fmt.Errorf("http: describe: %w", err)
	}
	return feed.Original{Payload: it.payload, Format: Format, Properties: properties, Origin: o.Method + " " + o.Path + " from " + o.Remote}, nil
}

// Close implements [feed.Subscription]: requests wait on, for the next
// subscription.
func (u *subscription) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	u.closed = true
	close(u.done)
	var unsettled []*item
	for _, it := range u.out {
		if it != nil {
			unsettled = append(unsettled, it)
		}
	}
	u.out = nil
	u.source.backlog.giveBack(unsettled)
	u.source.released(u)
	return nil
}
