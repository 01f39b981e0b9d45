package mqtt

import (
	"crypto/tls"
	"fmt"
	"net"
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
)

// conn is the sink's connection to a broker, from its CONNACK to its end. One
// caller at a time writes publishes; a reader goroutine takes the
// acknowledgements, and a watcher goroutine pings and notices a dead peer.
// Nothing is started, locked or signalled per message.
type conn struct {
	line
	quickAck func() // may be nil
	// rests: the reader lets acknowledgements gather. Not so with TLS, where
	// each is a record of its own and a read returns no more than one.
	rests bool

	// The publishing caller's own.
	enc encoder
	out []byte
	vec [2][]byte

	// Guarded by mu.
	win      window
	refusals []refusedPublish
	progress time.Time // when the broker last acknowledged, or had nothing to
	first    bool      // it has not acknowledged anything since it had nothing to
	waiting  bool      // the caller waits until base >= untilBase and pongs >= untilPong
	until    struct{ base, pongs uint64 }

	wake chan struct{} // 1-buffered: what the caller waits for is there
}

// refusedPublish is a PUBACK that said no to message what of the batch.
type refusedPublish struct {
	what int
	code byte
	text string
}

// newConn starts the goroutines of a connection.
func newConn(k *link, c Config) *conn {
	_, secure := k.nc.(*tls.Conn)
	o := &conn{
		quickAck: quickAcker(k.nc), rests: !secure,
		enc:      newEncoder(c),
		out:      make([]byte, 0, flushAt+direct),
		win:      newWindow(min(c.MaxInflight, k.granted.receiveMaximum)),
		progress: time.Now(),
		wake:     make(chan struct{}, 1),
	}
	o.open(k, c.AckTimeout)
	o.enc.limit(k.granted.maxPacketSize, "the broker")
	o.tasks.Go(o.read)
	o.tasks.Go(func() { o.watch(o.look) })
	return o
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
			c.broken(err)
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
	if first != packets.PUBACK<<4 {
		return c.answer(first, body)
	}
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
	return nil
}

// expected reports whether a broker may send a packet with such a first byte
// to a client that only publishes.
func expected(first byte) bool { return first == packets.PUBACK<<4 || answers(first) }

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
	err = c.writev(now, p, payload)
	<-c.writing
	if c.quickAck != nil {
		c.quickAck() // so that the first PUBACK and those behind it arrive as one
	}
	return true, c.unwritten(err)
}

// writev is called with writing held.
func (c *conn) writev(now time.Time, p, payload []byte) error {
	if payload == nil {
		return c.write(now, p)
	}
	if err := c.nc.SetWriteDeadline(now.Add(c.patience)); err != nil {
		return err
	}
	c.vec[0], c.vec[1] = p, payload
	bufs := net.Buffers(c.vec[:])
	_, err := bufs.WriteTo(c.nc)
	c.vec[0], c.vec[1] = nil, nil
	return err
}

// look says whether a ping is due, or why the peer must be taken for dead.
func (c *conn) look(now time.Time) (idle bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.win.outstanding(); n > 0 && now.Sub(c.progress) >= c.patience {
		return false, fmt.Errorf("no PUBACK for %v with %d publishes outstanding", c.patience, n)
	}
	if c.pings > c.pongs {
		return false, c.silent(now)
	}
	k := c.broker.keepAlive
	return k > 0 && now.Sub(c.written) >= k/2, nil
}
