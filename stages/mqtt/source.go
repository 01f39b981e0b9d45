package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

var (
	_ message.Subscriber           = (*Source)(nil)
	_ message.SubscribeInitializer = (*Source)(nil)
	_ feed.BatchSubscriber         = (*Source)(nil)
	_ feed.EventCounter            = (*Source)(nil)
	_ feed.WindowConfig            = (*SourceConfig)(nil)
	_ feed.EndpointConfig          = (*SourceConfig)(nil)
)

// errSourceClosed is what the methods of a closed [Source] return.
var errSourceClosed = errors.New("the MQTT source is closed")

// Source consumes from an MQTT 5 broker. Each subscription is a connection of
// its own, to the session that the broker keeps for the client identifier.
// Safe for concurrent use.
type Source struct {
	config SourceConfig
	log    *slog.Logger
	events *feed.EventCounts
	dial   dialFunc

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	plain  *feed.HandOuts // Subscribe's

	mu       sync.Mutex
	closed   bool
	sessions map[string]*session // by client identifier
}

// session is what the source knows of a session at the broker.
type session struct {
	clientID string
	busy     bool          // a subscription has it, or is about to
	current  *subscription // nil: none
	known    bool          // the broker has had it
	past     past
	losses   int // how often the broker had lost it
	// When another client takes it over.
	takeovers int
	short     int // connections in a row that the broker closed soon
	backoff   backoff
	notBefore time.Time
}

// NewSource returns a source that is not connected yet. It fails with a
// *[feed.ConfigError] when the configuration is wrong; topics may be left out
// when every subscription names its own.
func NewSource(c SourceConfig, env feed.StageEnv) (*Source, error) {
	if err := errors.Join(c.problems()...); err != nil {
		return nil, err
	}
	log := env.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Source{config: c, log: log, events: newSourceEvents(), dial: (&net.Dialer{}).DialContext, sessions: map[string]*session{}, plain: feed.NewHandOuts(errSourceClosed)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// SubscribeBatch implements [feed.BatchSubscriber]. The empty topic stands for
// the configured ones; any other is a topic filter with a session of its own,
// whose client identifier is the configured one, a slash and the filter. A
// session serves one subscription at a time.
func (s *Source) SubscribeBatch(ctx context.Context, topic string) (feed.Subscription, error) {
	sub, err := s.subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	return sub, nil
}

// SubscribeInitialize has the broker keep the messages of a topic from now on,
// as SubscribeBatch names topics. It implements Watermill's
// message.SubscribeInitializer.
func (s *Source) SubscribeInitialize(topic string) error {
	sub, err := s.subscribe(s.ctx, topic)
	if err != nil {
		return err
	}
	return sub.Close()
}

// names returns the filters that a topic stands for, and the client identifier.
func (s *Source) names(topic string) (filters []string, clientID string, err error) {
	if topic == "" {
		if len(s.config.Topics) == 0 {
			return nil, "", &feed.ConfigError{Key: "topics", Problem: "nothing to subscribe to", Remedy: "list topic filters, or subscribe to one as topic"}
		}
		return s.config.Topics, s.config.ClientID, nil
	}
	if why := filterProblem(topic); why != "" {
		return nil, "", feed.Permanent(errors.New(why))
	}
	return []string{topic}, s.config.ClientID + "/" + topic, nil
}

func (s *Source) subscribe(ctx context.Context, topic string) (*subscription, error) {
	filters, clientID, err := s.names(topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	n, wait, err := s.begin(clientID)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	var sub *subscription
	if err = pause(ctx, wait); err == nil {
		sub, err = s.open(ctx, n, filters)
	}
	if err != nil {
		s.mu.Lock()
		n.busy = false
		s.mu.Unlock()
		if s.ctx.Err() != nil {
			err = errSourceClosed
		}
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return sub, nil
}

// begin takes a session for a subscription, which is to wait before it connects.
func (s *Source) begin(clientID string) (n *session, wait time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, 0, errSourceClosed
	}
	n = s.sessions[clientID]
	if n == nil {
		n = &session{clientID: clientID, backoff: backoff{first: takeoverPause, limit: takeoverLimit}}
		s.sessions[clientID] = n
	}
	if n.busy {
		return nil, 0, fmt.Errorf("session %s has a subscription already, and serves one at a time", clip(clientID))
	}
	n.busy = true
	return n, time.Until(n.notBefore), nil
}

// open connects to a session and subscribes.
func (s *Source) open(ctx context.Context, n *session, filters []string) (*subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.ConnectTimeout)
	defer cancel()
	a := s.config.access(n.clientID)
	a.log, a.events = s.log, s.events
	k, err := connect(ctx, a, s.config.ask, s.dial)
	if err != nil {
		return nil, err
	}
	if err := s.config.accepts(k.granted); err != nil {
		k.nc.Close()
		return nil, fmt.Errorf("connect to %s: %w", k.to, err)
	}
	sub := newSubscription(k, s.config, filters, s.resumed(n, k), func(sub *subscription, cause error) { s.ended(n, sub, cause) })
	if err := sub.subscribe(ctx, s.config.SharedGroup, s.config.Retained); err != nil {
		s.keep(n, sub.abort(err))
		if n.known {
			err = errors.New(err.Error()) // it was granted before, and may be again
		}
		return nil, fmt.Errorf("subscribe at %s: %w", k.to, err)
	}
	s.mu.Lock()
	n.known, n.current = true, sub
	closed := s.closed
	s.mu.Unlock()
	if closed {
		_ = sub.Close() // of a subscription that nobody has had
		return nil, errSourceClosed
	}
	s.log.Info("connected", "broker", s.config.URL, "clientId", n.clientID, "session", k.granted.sessionPresent,
		"receiveMaximum", s.config.ReceiveMaximum, "keepAlive", k.granted.keepAlive)
	return sub, nil
}

// ask completes the CONNECT of a subscription: the session outlives it.
func (c *SourceConfig) ask(p *packets.Connect) {
	expiry, window, size := uint32(c.SessionExpiry/time.Second), uint16(c.ReceiveMaximum), uint32(c.MaxPacketSize)
	p.CleanStart = false
	p.Properties.SessionExpiryInterval = &expiry
	p.Properties.ReceiveMaximum = &window
	p.Properties.MaximumPacketSize = &size
}

// accepts says why what the broker grants is too little.
func (c *SourceConfig) accepts(l limits) error {
	switch {
	case l.maxQoS < 1:
		return &feed.ConfigError{Key: "url", Problem: "the broker grants no QoS 1, so that messages may be lost", Remedy: "allow QoS 1 at the broker"}
	case l.sessionExpiry != nil && *l.sessionExpiry == 0:
		return &feed.ConfigError{Key: "sessionExpiry", Problem: "the broker keeps no session, so that messages are lost while the feed is not connected", Remedy: "allow sessions at the broker"}
	case !l.shared && c.SharedGroup != "":
		return &feed.ConfigError{Key: "sharedGroup", Problem: "the broker has no shared subscriptions", Remedy: "remove it, or use another broker"}
	}
	return nil
}

// resumed notes whether the broker still has the session, and returns what is
// known of it.
func (s *Source) resumed(n *session, k *link) past {
	s.events.Add(eventConnected, 1)
	if e := k.granted.sessionExpiry; e != nil && *e < s.config.SessionExpiry {
		s.log.Warn("the broker keeps the session for a shorter time than sessionExpiry", "granted", *e, "asked", s.config.SessionExpiry)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := n.past
	n.past = past{}
	switch {
	case k.granted.sessionPresent:
		return known
	case n.known:
		n.losses++
		s.events.Add(eventSessionLost, 1)
		s.log.Error("the broker has lost the session: messages may be missing; let it keep sessions on disk, and raise sessionExpiry if the feed was away for longer",
			"clientId", n.clientID, "times", n.losses)
	default:
		// Only the broker knows whether there was one before this process.
		s.events.Add(eventSessionNew, 1)
		s.log.Info("the broker had no session for this client identifier: what is published from now on waits in it; if the feed has run with this clientId before, messages may be missing: see that the broker keeps sessions on disk, for as long as sessionExpiry says",
			"clientId", n.clientID)
	}
	return past{}
}

// keep has the next subscription report the settled deliveries that come again,
// given the error of closing one that the route has never had.
func (s *Source) keep(n *session, err error) {
	if lost := (*feed.SettleLostError)(nil); errors.As(err, &lost) {
		s.mu.Lock()
		defer s.mu.Unlock()
		n.past.lost = lost.Settled
	}
}

// ended is called when a subscription has been closed, with why it had ended
// before, if it had.
func (s *Source) ended(n *session, sub *subscription, cause error) {
	s.note(n, cause, sub.lived())
	if sub.lostQoS0 > 0 {
		s.events.Add(eventQoS0Lost, sub.lostQoS0)
		s.log.Warn("what the broker sent with QoS 0 and was not delivered is lost, as it does not come again: publish with QoS 1",
			"clientId", n.clientID, "messages", sub.lostQoS0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n.past.settled = sub.before
	if n.current == sub {
		n.current, n.busy = nil, false
	}
	// With a context of ours, it was us who ended the connection.
	if cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		s.events.Add(eventConnectionLost, 1)
	}
}

// note keeps a subscription that another client has ended from coming back at
// once. Not every broker says so: one that closes each connection soon after it
// was opened, as Mosquitto 2.0.11 does then, is taken to mean it.
func (s *Source) note(n *session, err error, lived time.Duration) {
	taken := takenOver(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if lived > takeoverLimit {
		n.backoff.reset() // the last time was long ago
	}
	switch {
	case taken:
		n.takeovers++
		s.events.Add(eventTakenOver, 1)
	case hungUp(err) && lived < shortLife:
		s.events.Add(eventClosedSoon, 1)
		if n.short++; n.short <= 2 {
			return // it may have restarted
		}
	default:
		n.short = 0
		return
	}
	d := n.backoff.take()
	n.notBefore = time.Now().Add(d)
	if taken {
		s.log.Error("another client uses the same client identifier and has taken the session over: give each process a clientId of its own",
			"clientId", n.clientID, "times", n.takeovers, "pause", d)
	} else {
		s.log.Error("the broker closes the connection soon after each connect: if another client uses the same client identifier, give each process a clientId of its own",
			"clientId", n.clientID, "times", n.short, "pause", d)
	}
}

// Close ends all subscriptions. What is unsettled comes again, and, logged as a
// warning, what was settled behind it. Idempotent.
func (s *Source) Close() error {
	s.mu.Lock()
	s.closed = true
	var open []*subscription
	for _, n := range s.sessions {
		if n.current != nil {
			open = append(open, n.current)
		}
	}
	s.mu.Unlock()
	s.cancel()
	s.plain.Close()
	var errs []error
	for _, sub := range open {
		errs = append(errs, sub.Close())
	}
	s.forget()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("mqtt source: %w", err)
	}
	return nil
}

// forget drops what is known of the sessions: whoever resumes them next does not
// know what was settled out of turn.
func (s *Source) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.sessions {
		if again := len(n.past.settled) + n.past.lost; again > 0 {
			s.log.Warn("deliveries that were settled behind an unsettled one come again", "clientId", n.clientID, "deliveries", again)
		}
		n.past = past{}
	}
}
