package mqtt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// farewell is how long a last word to the broker, or from it, may take.
const farewell = time.Second

var (
	errClosedByPeer = errors.New("connection lost: the broker closed it")
	errProtocol     = errors.New("the broker broke the protocol")
)

// line is what the connections of both stages have in common: one writer at a
// time, pings, the renewal of a token, and one reason to end.
type line struct {
	nc       net.Conn
	in       *bufio.Reader
	heard    *hearing
	broker   limits
	patience time.Duration // how long the broker may owe an answer, or not read
	renewal  *renewal      // nil: nothing to renew

	opened  time.Time
	writing chan struct{} // 1-buffered: full during each write to nc

	mu       sync.Mutex
	written  time.Time // when something was last written
	pings    uint64    // PINGREQs sent
	pongs    uint64    // PINGRESPs received
	pinged   time.Time // when the oldest unanswered PINGREQ was sent
	writeErr error
	err      error // why the connection ended
	over     time.Time

	done  chan struct{} // closed with err set
	tasks sync.WaitGroup
}

// open makes l the line of a link.
func (l *line) open(k *link, patience time.Duration) {
	l.nc, l.in, l.heard, l.broker, l.renewal = k.nc, k.in, k.heard, k.granted, k.renewal
	l.patience = patience
	l.opened = time.Now()
	l.written = l.opened
	l.writing = make(chan struct{}, 1)
	l.done = make(chan struct{})
}

// fail ends the connection. The first reason stays.
func (l *line) fail(err error) {
	l.mu.Lock()
	if l.err == nil {
		l.err, l.over = err, time.Now()
		close(l.done)
	}
	l.mu.Unlock()
	l.nc.Close()
}

// failure returns why the connection ended, or nil while it lives.
func (l *line) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// lived returns for how long the connection was open, once it has ended.
func (l *line) lived() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over.Sub(l.opened)
}

// bye tells the broker why the connection ends. It is a courtesy, for which a
// stuck write is not waited for long.
func (l *line) bye(code byte) {
	patience := time.NewTimer(farewell)
	defer patience.Stop()
	select {
	case l.writing <- struct{}{}:
	case <-patience.C:
		return
	case <-l.done:
		return
	}
	defer func() { <-l.writing }()
	if l.nc.SetWriteDeadline(time.Now().Add(farewell)) == nil {
		// Whether it arrives makes no difference.
		_, _ = l.nc.Write([]byte{packets.DISCONNECT << 4, 1, code})
	}
}

// broken ends the connection after the broker sent what it may not send.
func (l *line) broken(err error) {
	if errors.Is(err, errProtocol) {
		l.bye(packets.DisconnectProtocolError)
	}
	l.fail(err)
}

// lost ends the connection after reading failed.
func (l *line) lost(err error) {
	l.mu.Lock()
	cause := l.writeErr
	l.mu.Unlock()
	switch {
	case cause != nil:
		err = fmt.Errorf("connection lost: %w", cause)
	case errors.Is(err, io.EOF):
		err = errClosedByPeer
	default:
		err = fmt.Errorf("connection lost: %w", err)
	}
	l.fail(err)
}

// answer handles a packet that is part of every connection, given its first
// byte and its body. The caller holds mu.
func (l *line) answer(first byte, body []byte) error {
	switch first {
	case packets.PINGRESP << 4:
		if l.pongs == l.pings || len(body) != 0 {
			return fmt.Errorf("%w: PINGRESP without a ping", errProtocol)
		}
		if l.pongs++; l.pongs < l.pings {
			l.pinged = time.Now()
		}
		return nil
	case packets.AUTH << 4:
		return l.renewal.answered(body)
	case packets.DISCONNECT << 4:
		return disconnect(body)
	}
	return fmt.Errorf("%w: unexpected packet of type %d with flags %d", errProtocol, first>>4, first&0xf)
}

// answers reports whether a packet with such a first byte is part of every
// connection.
func answers(first byte) bool {
	switch first {
	case packets.PINGRESP << 4, packets.AUTH << 4, packets.DISCONNECT << 4:
		return true
	}
	return false
}

// write is called with writing held.
func (l *line) write(now time.Time, p []byte) error {
	if err := l.nc.SetWriteDeadline(now.Add(l.patience)); err != nil {
		return err
	}
	_, err := l.nc.Write(p)
	return err
}

// put writes a small packet as soon as nobody else is writing, or returns why
// the connection ended.
func (l *line) put(p []byte) error {
	l.writing <- struct{}{}
	now := time.Now()
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		<-l.writing
		return l.failure()
	}
	l.written = now
	l.mu.Unlock()
	err := l.write(now, p)
	<-l.writing
	return l.unwritten(err)
}

// unwritten ends the connection after a write failed, and returns why it ended.
func (l *line) unwritten(err error) error {
	if err == nil {
		return nil
	}
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		l.fail(fmt.Errorf("the broker has read nothing for %v", l.patience))
		return l.failure()
	}
	// A broker that closes the connection may have said why: let the reader
	// find it.
	l.mu.Lock()
	l.writeErr = err
	l.mu.Unlock()
	if err := l.nc.SetReadDeadline(time.Now().Add(farewell)); err != nil {
		l.lost(err)
	}
	patience := time.NewTimer(2 * farewell)
	defer patience.Stop()
	select {
	case <-l.done:
	case <-patience.C: // the reader does not read
		l.lost(err)
	}
	return l.failure()
}

// ping sends a PINGREQ and returns how many PINGRESPs answer it and all before.
// Without wait it gives up when somebody else is writing: the connection is
// not idle then.
func (l *line) ping(wait bool) (pongs uint64, err error) {
	if wait {
		l.writing <- struct{}{}
	} else {
		select {
		case l.writing <- struct{}{}:
		default:
			return 0, nil
		}
	}
	now := time.Now()
	l.mu.Lock()
	if l.pings == l.pongs {
		l.pinged = now
	}
	l.pings++
	pongs = l.pings
	l.written = now
	l.mu.Unlock()
	err = l.write(now, []byte{packets.PINGREQ << 4, 0})
	<-l.writing
	return pongs, l.unwritten(err)
}

// watch calls look until the connection ends, pings when it says that a ping is
// due, and ends the connection when it says that the peer is dead. It sends a
// token that has changed.
func (l *line) watch(look func(now time.Time) (idle bool, err error)) {
	period := l.patience
	if k := l.broker.keepAlive; k > 0 {
		period = min(period, k)
	}
	t := time.NewTicker(max(period/4, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-l.done:
			return
		case now := <-t.C:
			idle, err := look(now)
			if err == nil {
				err = l.renew(now)
			}
			if err != nil {
				l.fail(err)
				return
			}
			if idle {
				if _, err := l.ping(false); err != nil {
					return
				}
			}
		}
	}
}

// silent says why the peer must be taken for dead when it owes the answer to a
// ping. The caller holds mu.
func (l *line) silent(now time.Time) error {
	if l.pings > l.pongs && now.Sub(l.pinged) >= l.patience {
		return fmt.Errorf("no answer to a ping for %v", l.patience)
	}
	return nil
}

// renew sends the token when it has changed, and says why the connection must
// end when the broker does not answer. Only the watcher calls it.
func (l *line) renew(now time.Time) error {
	r := l.renewal
	if r == nil {
		return nil
	}
	l.mu.Lock()
	asked := r.asked
	l.mu.Unlock()
	if !asked.IsZero() {
		if now.Sub(l.heard.since(asked)) >= l.patience {
			return fmt.Errorf("no answer to a new token for %v", l.patience)
		}
		return nil
	}
	p, err := r.due()
	if err != nil || p == nil {
		return err
	}
	l.mu.Lock()
	r.asked = now
	l.mu.Unlock()
	return l.put(p)
}
