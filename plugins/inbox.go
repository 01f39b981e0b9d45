package plugins

import (
	"context"
	"slices"
	"sync"

	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// inbox holds the requests that the goroutine of a source has not seen yet, and
// interrupts what it does when there is one.
type inbox struct {
	mu        sync.Mutex
	requests  []*pluginpb.SourceRequest
	answering context.CancelFunc // of the question that is being answered; nil: none is
	cancelled bool               // the latest question
	ended     bool
	err       error
	arrived   chan struct{} // has room for one
	interrupt context.CancelFunc
}

func newInbox() *inbox { return &inbox{arrived: make(chan struct{}, 1), interrupt: func() {}} }

func (i *inbox) put(r *pluginpb.SourceRequest) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests = append(i.requests, r)
	i.wake()
}

func (i *inbox) end(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended, i.err = true, err
	i.wake()
}

// wake is called with the lock held.
func (i *inbox) wake() {
	i.interrupt()
	select {
	case i.arrived <- struct{}{}:
	default:
	}
}

// take returns the next request; or that there will be none, and why; or else
// arranges that cancel is called when there is one.
func (i *inbox) take(cancel context.CancelFunc) (r *pluginpb.SourceRequest, ended bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.requests) > 0 {
		r = i.requests[0]
		i.requests = i.requests[1:]
		return r, false, nil
	}
	i.interrupt = cancel
	return nil, i.ended, i.err
}

// cancelQuestion cancels the latest question, when it was not answered yet.
func (i *inbox) cancelQuestion() {
	i.mu.Lock()
	defer i.mu.Unlock()
	waits := slices.ContainsFunc(i.requests, func(r *pluginpb.SourceRequest) bool { return r.GetCredit() == nil })
	i.cancelled = waits || i.answering != nil
	if i.answering != nil {
		i.answering()
	}
}

// question begins to answer a question, and arranges that cancel is called when it is
// cancelled.
func (i *inbox) question(cancel context.CancelFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answering = cancel
	if i.cancelled {
		cancel()
	}
}

// answered ends a question.
func (i *inbox) answered() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answering, i.cancelled = nil, false
}
