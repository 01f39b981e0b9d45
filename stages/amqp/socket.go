package amqp

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// bufferSize is the size of the buffer on each side of a socket. The client
// library reads 4 KiB at a time and writes each frame by itself: without
// buffers of our own every few messages would cost a system call.
const bufferSize = 64 << 10

// socket is the transport under the client library. It buffers both ways and
// puts its own deadlines on the connection, so that a dead peer is noticed and
// a peer that does not read cannot hold a writer for ever.
//
// It deliberately has no SetDeadline methods: the library would use them to
// move a deadline with every frame.
type socket struct {
	conn net.Conn // carries the bytes, perhaps with TLS
	raw  net.Conn // the TCP connection under it

	idle  time.Duration // longest silence of the peer; 0: any
	write time.Duration // longest time for one write

	in       *splitter // what was read and not yet taken
	rest     rest
	readFail error

	mu     sync.Mutex // guards the rest
	out    []byte
	corked int

	aborted atomic.Bool
}

func newSocket(conn, raw net.Conn, write time.Duration) *socket {
	return &socket{conn: conn, raw: raw, write: write, in: newSplitter(), rest: newRest(raw)}
}

// keepAlive sets the longest silence of the peer. It may only be called while
// no frames flow that matter to the caller; the reader sees it at the next
// read because mu orders the two.
func (s *socket) keepAlive(idle time.Duration) error {
	s.mu.Lock()
	s.idle = idle
	s.mu.Unlock()
	// The read in progress started with the deadline of the handshake.
	return s.conn.SetReadDeadline(deadlineAfter(idle))
}

// Read returns what is the library's. Deliveries of consumers that the
// splitter knows go their own way meanwhile.
func (s *socket) Read(p []byte) (int, error) {
	for {
		n, err := s.in.take(p)
		if err != nil {
			s.Abort()
			return 0, err
		}
		if n > 0 {
			return n, nil
		}
		if s.readFail != nil {
			return 0, s.readFail
		}
		if err := s.fill(); err != nil {
			// A writer that is stuck holds locks which the library needs to
			// shut down: free it.
			s.Abort()
			s.in.surrender()
			s.readFail = err
		}
	}
}

// fill reads more from the peer.
func (s *socket) fill() error {
	rests := s.in.mayRest() && s.conn == s.raw
	s.in.announce()
	if rests {
		s.rest.take()
	}
	s.mu.Lock()
	idle := s.idle
	s.mu.Unlock()
	if idle > 0 {
		if err := s.conn.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return err
		}
	}
	space, begin := s.in.space(), time.Now()
	n, err := s.conn.Read(space)
	s.in.filled(n)
	s.rest.read(time.Since(begin), n == len(space))
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// Write sends p, or keeps it until [socket.Uncork] while the socket is corked.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = append(s.out, p...)
	if s.corked > 0 && len(s.out) < bufferSize {
		return len(p), nil
	}
	if err := s.flush(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Cork makes the following writes gather in one buffer.
func (s *socket) Cork() {
	s.mu.Lock()
	s.corked++
	s.mu.Unlock()
}

// Uncork ends a Cork and sends what gathered.
func (s *socket) Uncork() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked--
	if s.corked > 0 {
		return nil
	}
	return s.flush()
}

// flush sends what gathered. The caller holds mu.
func (s *socket) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	if err := s.conn.SetWriteDeadline(deadlineAfter(s.write)); err != nil {
		s.Abort()
		return err
	}
	_, err := s.conn.Write(s.out)
	s.out = s.out[:0]
	if cap(s.out) > 4*bufferSize {
		s.out = nil // one huge message does not stay in memory
	}
	if err != nil {
		// Part of a frame may be gone: nothing more can be sent.
		s.Abort()
	}
	return err
}

// Close closes the socket.
func (s *socket) Close() error {
	s.Abort()
	return nil
}

// Abort closes the socket under whatever uses it, without waiting for anyone.
func (s *socket) Abort() {
	if s.aborted.CompareAndSwap(false, true) {
		// The TCP connection itself: closing TLS may wait for a writer. The
		// peer learns of it either way and nothing can be done on failure.
		_ = s.raw.Close()
		s.in.unbound() // the reader has to see it
	}
}

func deadlineAfter(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}
