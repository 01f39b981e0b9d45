package amqp

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/semaphore"

	"github.com/kraft-edge/datafeed/feed"
)

// maxUnconfirmed is how many messages may wait for their confirm at a time.
const maxUnconfirmed = 2048

// outgoing is one message on its way.
type outgoing struct {
	index    int // in the batch
	key      string
	msg      amqp091.Publishing
	confirm  confirmation
	returned bool
	err      error // the outcome: nil only when confirmed and not returned
}

// session is a channel in confirm mode. When it fails it is not used again.
//
// A message that no queue takes is returned and confirmed, the return first.
// The library queues the return before it reads the confirm; so once all of a
// run is confirmed, all of its returns wait in returns, which has room for
// those of every unconfirmed message and therefore never makes the library
// discard one.
type session struct {
	config  *SinkConfig
	events  *feed.EventCounts
	link    link
	ch      channel
	slots   *semaphore.Weighted
	returns <-chan amqp091.Return
	closes  <-chan *amqp091.Error

	mu        sync.Mutex       // one writer at a time; guards the rest
	sent      []*outgoing      // in the order of publishing, until their run is done
	unmatched []amqp091.Return // whose message is not confirmed yet
	failed    error
	server    bool // failed because the broker closed the channel
	// confused: a return fits no message, so that a confirm proves nothing.
	confused bool
}

func newSession(l link, config *SinkConfig, events *feed.EventCounts) (*session, error) {
	ch, err := l.Channel()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	s := &session{config: config, events: events, link: l, ch: ch, slots: semaphore.NewWeighted(maxUnconfirmed)}
	s.closes = ch.NotifyClose(make(chan *amqp091.Error, 1))
	s.returns = ch.NotifyReturn(make(chan amqp091.Return, maxUnconfirmed))
	if err := ch.Confirm(false); err != nil {
		_ = ch.Close()
		return nil, fmt.Errorf("turn on publisher confirms: %w", err)
	}
	return s, nil
}

// publish sends run and waits until the outcome of each message is known. It
// returns an error when nothing was sent, and the session is as it was.
func (s *session) publish(ctx context.Context, run []*outgoing) error {
	n := int64(len(run))
	if err := s.slots.Acquire(ctx, n); err != nil {
		return fmt.Errorf("not sent: %w", err)
	}
	defer s.slots.Release(n)
	if err := s.unblocked(ctx); err != nil {
		return fmt.Errorf("not sent: %w", err)
	}
	written, err := s.write(ctx, run)
	if err == nil {
		err = s.wait(ctx, run)
	}
	if err != nil {
		s.fail(err)
	}
	s.finish(run, written)
	return nil
}

// unblocked waits while the broker takes no messages.
func (s *session) unblocked(ctx context.Context) error {
	var limit <-chan time.Time
	for {
		blocked, reason, changed := s.link.Blocked()
		if !blocked {
			return nil
		}
		if limit == nil {
			s.events.Add(eventBlocked, 1)
			t := time.NewTimer(s.config.ConfirmTimeout)
			defer t.Stop()
			limit = t.C
		}
		select {
		case <-changed:
		case <-limit:
			return blockedError(reason)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), blockedError(reason))
		case <-s.link.Done():
			return s.link.Err()
		}
	}
}

func blockedError(reason string) error {
	return fmt.Errorf("the broker blocks publishers: %s", reason)
}

// write sends run in as few writes as possible. A context that ends meanwhile
// cuts the connection: the peer may have stopped reading.
func (s *session) write(ctx context.Context, run []*outgoing) (written int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return 0, s.failed
	}
	stop := context.AfterFunc(ctx, s.link.Abort)
	defer stop()
	s.link.Cork()
	for _, o := range run {
		o.confirm, err = s.ch.Publish(s.config.Exchange, o.key, s.config.Mandatory, o.msg)
		if err != nil {
			break
		}
		written++
		if s.config.Mandatory {
			s.sent = append(s.sent, o)
		}
	}
	if flushErr := s.link.Uncork(); err == nil {
		err = flushErr
	}
	return written, err
}

// wait returns when all confirms are there, or when none came for too long.
func (s *session) wait(ctx context.Context, run []*outgoing) error {
	limit := time.NewTimer(s.config.ConfirmTimeout)
	defer limit.Stop()
	for _, o := range run {
		select {
		case <-o.confirm.Done():
			continue
		default:
		}
		limit.Reset(s.config.ConfirmTimeout)
		select {
		case <-o.confirm.Done():
		case <-limit.C:
			err := fmt.Errorf("no publisher confirm within %v", s.config.ConfirmTimeout)
			if blocked, reason, _ := s.link.Blocked(); blocked {
				err = errors.Join(err, blockedError(reason))
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// fail marks the session as bad.
func (s *session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.see()
	if s.failed == nil {
		s.failed = err
	}
}

// see takes note of a channel or connection that was closed. The caller holds
// mu.
func (s *session) see() {
	select {
	case e, ok := <-s.closes:
		if s.failed != nil {
			return
		}
		if ok && e != nil {
			s.failed = explainEnd(e)
			s.server = e.Server
		} else {
			s.failed = errLinkClosed
		}
	default:
	}
}

// ended reports whether the session can no longer be used.
func (s *session) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.see()
	return s.failed != nil
}

// byServer reports whether the broker ended the session: the connection, if
// it still lives, can serve the next one.
func (s *session) byServer() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

// finish determines the outcome of each message of run.
func (s *session) finish(run []*outgoing, written int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.match()
	s.see()
	var open []*outgoing
	for _, o := range run[:written] {
		switch {
		case s.confused:
			open = append(open, o)
		case o.returned: // keeps the error of giveUp
		case done(o.confirm) && o.confirm.Acked():
			o.err = nil
		case done(o.confirm) && s.failed == nil:
			s.events.Add(eventRefused, 1)
			o.err = errors.New("the broker refused the message (basic.nack): the queue is full or unavailable")
		default:
			open = append(open, o)
		}
	}
	s.forget(run[:written])
	for _, o := range run[written:] {
		o.err = fmt.Errorf("not sent: %w", s.failed)
	}
	for _, o := range open {
		o.err = fmt.Errorf("outcome unknown: %w", s.failed)
	}
	if o := suspect(s.failed, open); o != nil {
		o.err = feed.ConnectionFatal(s.failed)
	}
}

func done(c confirmation) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// match assigns the returns that have arrived to messages. A returned message
// is confirmed positively, so only one with such a confirm qualifies: its equal
// that was refused, or may yet be, is not the one. Two messages that are equal
// and confirmed are interchangeable: whichever is sent again, the outcome is
// the same. The caller holds mu.
func (s *session) match() {
	for more := true; more; {
		select {
		case r, ok := <-s.returns:
			if more = ok; ok {
				s.unmatched = append(s.unmatched, r)
			}
		default:
			more = false
		}
	}
	waiting := s.unmatched[:0]
	from := 0 // returns come in the order of publishing
	for _, r := range s.unmatched {
		i, pending := s.find(&r, from)
		switch {
		case i >= 0:
			from = i + 1
			s.giveUp(s.sent[i], &r)
		case pending: // its confirm is on its way
			waiting = append(waiting, r)
		default:
			s.confused = true
			if s.failed == nil {
				s.failed = fmt.Errorf("the broker returned a message that was not sent: %d %s", r.ReplyCode, r.ReplyText)
			}
		}
	}
	clear(s.unmatched[len(waiting):])
	s.unmatched = waiting
}

// giveUp records that a message was returned.
func (s *session) giveUp(o *outgoing, r *amqp091.Return) {
	s.events.Add(eventUnroutable, 1)
	o.returned = true
	err := fmt.Errorf("exchange %q has no queue for routing key %q: %d %s", s.config.Exchange, o.key, r.ReplyCode, r.ReplyText)
	if s.config.Unroutable == UnroutableQuarantine {
		o.err = feed.Permanent(err)
		return
	}
	o.err = fmt.Errorf("%w (bind a queue to the exchange for that key, or write unroutable: quarantine)", err)
}

// find returns the place in sent of a confirmed message that r fits, looking
// first behind the last one found, or -1 and whether r fits one that is not
// confirmed yet.
func (s *session) find(r *amqp091.Return, from int) (i int, pending bool) {
	from = min(from, len(s.sent))
	for n := range s.sent {
		i := (from + n) % len(s.sent)
		o := s.sent[i]
		if !o.is(r) {
			continue
		}
		if !done(o.confirm) {
			pending = true
		} else if o.confirm.Acked() {
			return i, false
		}
	}
	return -1, pending
}

// is reports whether r is this message.
func (o *outgoing) is(r *amqp091.Return) bool {
	return !o.returned && o.key == r.RoutingKey && o.msg.MessageId == r.MessageId &&
		o.msg.CorrelationId == r.CorrelationId && o.msg.ReplyTo == r.ReplyTo && o.msg.ContentType == r.ContentType &&
		string(o.msg.Body) == string(r.Body) && sameHeaders(o.msg.Headers, r.Headers)
}

// sameHeaders compares headers of the kind that the sink sends: strings.
func sameHeaders(a, b amqp091.Table) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// forget drops a run that is done from sent, where it stands in one piece. The
// caller holds mu.
func (s *session) forget(run []*outgoing) {
	if len(s.sent) == 0 || len(run) == 0 {
		return
	}
	if i := slices.Index(s.sent, run[0]); i >= 0 {
		s.sent = slices.Delete(s.sent, i, i+len(run))
	}
}

// suspect returns the message to blame when the broker closed the channel on
// purpose because of what a message was: the one that the broker's text fits,
// or else the first one without an answer. A missing exchange (404) or a
// missing permission for it (403) is nobody's fault among the messages.
func suspect(err error, open []*outgoing) *outgoing {
	var e *amqp091.Error
	if len(open) == 0 || !errors.As(err, &e) || !e.Server {
		return nil
	}
	switch {
	case e.Code == amqp091.PreconditionFailed:
		if m := tooLarge.FindStringSubmatch(e.Reason); m != nil {
			for _, o := range open {
				if strconv.Itoa(len(o.msg.Body)) == m[1] {
					return o
				}
			}
		}
		return open[0]
	case e.Code == amqp091.AccessRefused && strings.Contains(e.Reason, "access to topic"):
		for _, o := range open {
			if strings.Contains(e.Reason, "'"+o.key+"'") {
				return o
			}
		}
		return open[0]
	}
	return nil
}

var tooLarge = regexp.MustCompile(`message size (\d+) is larger than`)
