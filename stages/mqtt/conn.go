package mqtt

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

const (
	// flushAt is how many bytes are gathered before they go to the socket.
	flushAt = 64 << 10
	// direct is the payload size from which a payload goes to the socket from
	// where it lies instead of being copied.
	direct = 16 << 10
	// keepBuffer is the largest buffer that is kept for the next message.
	keepBuffer = 1 << 20
	// farewell is how long a last word to the broker, or from it, may take.
	farewell = time.Second
)

var (
	errClosedByPeer = errors.New("connection lost: the broker closed it")
	errProtocol     = errors.New("the broker broke the protocol")
)

// conn is one connection to a broker, from its CONNACK to its end. One caller
// at a time writes publishes; a reader goroutine takes the acknowledgements,
// and a watcher goroutine pings and notices a dead peer. Nothing is started,
// locked or signalled per message.
type conn struct {
	nc         net.Conn
	in         *bufio.Reader
	broker     limits
	ackTimeout time.Duration
	quickAck   func() // may be nil
	// rests: the reader lets acknowledgements gather. Not so with TLS, where
	// each is a record of its own and a read returns no more than one.
	rests bool

	// The publishing caller's own.
	enc encoder
	out []byte
	vec [2][]byte

	writing chan struct{} // 1-buffered: full during each write to nc

	mu       sync.Mutex
	win      window
	refusals []refusedPublish
	progress time.Time // when the broker last acknowledged, or had nothing to
	first    bool      // it has not acknowledged anything since it had nothing to
	written  time.Time // when something was last written
	pings    uint64    // PINGREQs sent
	pongs    uint64    // PINGRESPs received
	pinged   time.Time // when the oldest unanswered PINGREQ was sent
	waiting  bool      // the caller waits until base >= untilBase and pongs >= untilPong
	until    struct{ base, pongs uint64 }
	writeErr error
	err      error // why the connection ended

	wake  chan struct{} // 1-buffered: what the caller waits for is there
	done  chan struct{} // closed with err set
	tasks sync.WaitGroup
}

// refusedPublish is a PUBACK that said no to message what of the batch.
type refusedPublish struct {
	what int
	code byte
	text string
}

// newConn starts the goroutines of a connection whose CONNACK has been read.
func newConn(nc net.Conn, in *bufio.Reader, c Config, broker limits) *conn {
	now := time.Now()
	_, secure := nc.(*tls.Conn)
	k := &conn{
		nc: nc, in: in, broker: broker, ackTimeout: c.AckTimeout,
		quickAck: quickAcker(nc), rests: !secure,
		enc:      newEncoder(c),
		out:      make([]byte, 0, flushAt+direct),
		win:      newWindow(min(c.MaxInflight, broker.receiveMaximum)),
		progress: now, written: now,
		writing: make(chan struct{}, 1),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	k.enc.limit(broker.maxPacketSize, "the broker")
	k.tasks.Go(k.read)
	k.tasks.Go(k.watch)
	return k
}

// fail ends the connection. The first reason stays.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
	c.mu.Unlock()
	c.nc.Close()
}

// failure returns why the connection ended, or nil while it lives.
func (c *conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// slowly makes a new connection begin with a single publish in flight.
func (c *conn) slowly() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.win.slow = true
}

// cutShort reports whether the connection, which has ended, did so in a way that
// makes the next one begin slowly.
func (c *conn) cutShort() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.win.cutShort()
}

// close takes leave of the broker and waits for the goroutines.
func (c *conn) close(err error) {
	c.bye(packets.DisconnectNormalDisconnection)
	c.fail(err)
	c.tasks.Wait()
}

// bye tells the broker why the connection ends. It is a courtesy, for which a
// stuck write is not waited for long.
func (c *conn) bye(code byte) {
	patience := time.NewTimer(farewell)
	defer patience.Stop()
	select {
	case c.writing <- struct{}{}:
	case <-patience.C:
		return
	case <-c.done:
		return
	}
	defer func() { <-c.writing }()
	if c.nc.SetWriteDeadline(time.Now().Add(farewell)) == nil {
		// Whether it arrives makes no difference.
		_, _ = c.nc.Write([]byte{packets.DISCONNECT << 4, 1, code})
	}
}

// read takes what the broker sends until the connection ends.
func (c *conn) read() {
	need := 2
	for {
		if _, err := c.in.Peek(need); err != nil {
			c.lost(err)
			return
		}
		p, _ := c.in.Peek(c.in.Buffered()) // cannot fail: it is all there
		t, err := c.take(p)
		if err != nil {
			if errors.Is(err, errProtocol) {
				c.bye(packets.DisconnectProtocolError)
			}
			c.fail(err)
			return
		}
		_, _ = c.in.Discard(t.used) // cannot fail either
		need = t.need
		if c.rests && t.rest > 0 {
			time.Sleep(t.rest)
		}
		if t.left > 0 && c.quickAck != nil {
			c.quickAck()
		}
	}
}

// lost ends the connection after reading failed.
func (c *conn) lost(err error) {
	c.mu.Lock()
	cause := c.writeErr
	c.mu.Unlock()
	switch {
	case cause != nil:
		err = fmt.Errorf("connection lost: %w", cause)
	case errors.Is(err, io.EOF):
		err = errClosedByPeer
	default:
		err = fmt.Errorf("connection lost: %w", err)
	}
	c.fail(err)
}

// taken is what take has done, and what is to be done next.
type taken struct {
	used int           // bytes
	need int           // bytes that must be there beyond those to go on
	left int           // publishes that are outstanding
	rest time.Duration // how long their acknowledgements should gather
}

// take handles all packets that are complete in p.
func (c *conn) take(p []byte) (t taken, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	base := c.win.base
	for {
		// Garbage shows in the first byte: do not wait for more of it.
		if t.used < len(p) && !expected(p[t.used]) {
			return t, fmt.Errorf("%w: unexpected packet of type %d with flags %d", errProtocol, p[t.used]>>4, p[t.used]&0xf)
		}
		body, n, more, err := frame(p[t.used:])
		if err != nil {
			return t, fmt.Errorf("%w: %w", errProtocol, err)
		}
		if n > 0 {
			if err := c.packet(p[t.used], body); err != nil {
				return t, err
			}
		}
		if n == 0 {
			t.need = more
			break
		}
		t.used += n
	}
	t.left = c.win.outstanding()
	if came := int(c.win.base - base); came > 0 {
		now := time.Now()
		t.rest = restFor(came, t.left, now.Sub(c.progress))
		if c.first { // of that time a part, unknown which, was the way to the broker
			t.rest = min(t.rest, leastRest)
		}
		c.progress, c.first = now, false
	}
	if c.waiting && c.reached() {
		c.waiting = false
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return t, nil
}

// packet handles one packet, given its expected first byte and its body.
func (c *conn) packet(first byte, body []byte) error {
	switch first {
	case packets.PUBACK << 4:
		id, code, text, err := puback(body)
		if err != nil {
			return fmt.Errorf("%w: %w", errProtocol, err)
		}
		what, ok := c.win.ack(id)
		if !ok {
			return fmt.Errorf("%w: PUBACK for packet id %d, which is not in flight", errProtocol, id)
		}
		if refused(code) {
			c.refusals = append(c.refusals, refusedPublish{what, code, text})
		}
	case packets.PINGRESP << 4:
		if c.pongs == c.pings || len(body) != 0 {
			return fmt.Errorf("%w: PINGRESP without a ping", errProtocol)
		}
		if c.pongs++; c.pongs < c.pings {
			c.pinged = time.Now()
		}
	case packets.DISCONNECT << 4:
		return disconnect(body)
	}
	return nil
}

// expected reports whether a broker may send a packet with such a first byte
// to a client that only publishes.
func expected(first byte) bool {
	switch first {
	case packets.PUBACK << 4, packets.PINGRESP << 4, packets.DISCONNECT << 4:
		return true
	}
	return false
}

func (c *conn) reached() bool {
	return c.win.base >= c.until.base && c.pongs >= c.until.pongs
}

// await blocks until all publishes before base are acknowledged and so many
// pings answered, or returns why the connection ended before.
func (c *conn) await(base, pongs uint64) error {
	for {
		c.mu.Lock()
		c.until.base, c.until.pongs = base, pongs
		if c.reached() {
			c.waiting = false
			c.mu.Unlock()
			return nil
		}
		if c.err != nil {
			c.mu.Unlock()
			return c.err
		}
		c.waiting = true
		c.mu.Unlock()
		select {
		case <-c.wake:
		case <-c.done:
		}
	}
}

// send writes p and then payload, which may be nil, after making known that
// publishes up to next are on their way. It reports false when the connection
// had ended before, so that nothing was written.
func (c *conn) send(p, payload []byte, next uint64) (handed bool, err error) {
	now := time.Now()
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return false, c.err
	}
	if c.win.outstanding() == 0 {
		c.progress, c.first = now, true
	}
	c.win.next = next
	c.written = now
	c.mu.Unlock()

	c.writing <- struct{}{}
	err = c.write(now, p, payload)
	<-c.writing
	if c.quickAck != nil {
		c.quickAck() // so that the first PUBACK and those behind it arrive as one
	}
	return true, c.unwritten(err)
}

// write is called with writing held.
func (c *conn) write(now time.Time, p, payload []byte) error {
	if err := c.nc.SetWriteDeadline(now.Add(c.ackTimeout)); err != nil {
		return err
	}
	if payload == nil {
		_, err := c.nc.Write(p)
		return err
	}
	c.vec[0], c.vec[1] = p, payload
	bufs := net.Buffers(c.vec[:])
	_, err := bufs.WriteTo(c.nc)
	c.vec[0], c.vec[1] = nil, nil
	return err
}

// unwritten ends the connection after a write failed, and returns why it ended.
func (c *conn) unwritten(err error) error {
	if err == nil {
		return nil
	}
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		c.fail(fmt.Errorf("the broker has read nothing for %v", c.ackTimeout))
		return c.failure()
	}
	// A broker that closes the connection may have said why: let the reader
	// find it.
	c.mu.Lock()
	c.writeErr = err
	c.mu.Unlock()
	if err := c.nc.SetReadDeadline(time.Now().Add(farewell)); err != nil {
		c.lost(err)
	}
	<-c.done
	return c.failure()
}

// ping sends a PINGREQ and returns how many PINGRESPs answer it and all before.
// Without wait it gives up when somebody else is writing: the connection is
// not idle then.
func (c *conn) ping(wait bool) (pongs uint64, err error) {
	if wait {
		c.writing <- struct{}{}
	} else {
		select {
		case c.writing <- struct{}{}:
		default:
			return 0, nil
		}
	}
	now := time.Now()
	c.mu.Lock()
	if c.pings == c.pongs {
		c.pinged = now
	}
	c.pings++
	pongs = c.pings
	c.written = now
	c.mu.Unlock()
	err = c.write(now, []byte{packets.PINGREQ << 4, 0}, nil)
	<-c.writing
	return pongs, c.unwritten(err)
}

// watch pings when the connection is idle and ends it when the broker does not
// answer.
func (c *conn) watch() {
	period := c.ackTimeout
	if k := c.broker.keepAlive; k > 0 {
		period = min(period, k)
	}
	t := time.NewTicker(max(period/4, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-c.done:
			return
		case now := <-t.C:
			idle, err := c.look(now)
			if err != nil {
				c.fail(err)
				return
			}
			if idle {
				if _, err := c.ping(false); err != nil {
					return
				}
			}
		}
	}
}

// look says whether a ping is due, or why the peer must be taken for dead.
func (c *conn) look(now time.Time) (idle bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.win.outstanding(); n > 0 && now.Sub(c.progress) >= c.ackTimeout {
		return false, fmt.Errorf("no PUBACK for %v with %d publishes outstanding", c.ackTimeout, n)
	}
	if c.pings > c.pongs {
		if now.Sub(c.pinged) >= c.ackTimeout {
			return false, fmt.Errorf("no answer to a ping for %v", c.ackTimeout)
		}
		return false, nil
	}
	k := c.broker.keepAlive
	return k > 0 && now.Sub(c.written) >= k/2, nil
}
