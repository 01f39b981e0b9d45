package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// A TCPProxy stands between a client and a server, and causes faults of the network. Its methods may be called
// concurrently.
type TCPProxy struct {
	Addr string // host and port that clients connect to

	t      testing.TB
	target string
	work   sync.WaitGroup
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	links    map[*link]struct{}
	requests gate // from client to server
	replies  gate // from server to client
}

// gate is closed while bytes may pass.
type gate chan struct{}

func openGate() gate {
	g := make(gate)
	close(g)
	return g
}

func (g gate) open() bool {
	select {
	case <-g:
		return true
	default:
		return false
	}
}

// link is one connection through the proxy.
type link struct {
	ctx context.Context // ends when the link is cut
	cut context.CancelFunc
}

// Proxy starts a proxy to a host and port, and stops it, with all its connections, when the test ends. It works in a
// short run too.
func Proxy(t testing.TB, target string) *TCPProxy {
	t.Helper()
	// A reserved port can be left and taken again by Refuse and Accept.
	var ports server.Ports
	port, err := ports.Reserve()
	check(t, err)
	p := &TCPProxy{
		Addr: server.Address(port), t: t, target: target, links: map[*link]struct{}{},
		requests: openGate(), replies: openGate(),
	}
	p.ctx, p.cancel = context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() {
		p.Refuse()
		p.cancel()
		p.work.Wait()
		if err := ports.Release(); err != nil {
			t.Errorf("testenv: %v", err)
		}
	})
	p.Accept()
	return p
}

// Accept ends Refuse.
func (p *TCPProxy) Accept() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return
	}
	listener, err := net.Listen("tcp", p.Addr)
	check(p.t, err)
	p.listener = listener
	p.work.Go(func() { p.accept(listener) })
}

// Refuse has new connections refused. Open ones stay: see Cut.
func (p *TCPProxy) Refuse() {
	p.t.Helper()
	p.mu.Lock()
	listener := p.listener
	p.listener = nil
	p.mu.Unlock()
	if listener != nil {
		check(p.t, listener.Close())
	}
}

// Cut resets all open connections at both ends, and returns how many there were.
func (p *TCPProxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
	return len(p.links)
}

// Block stops passing bytes both ways: connections stay open, also new ones, and nothing arrives. Bytes that are being
// written at this moment may still pass.
func (p *TCPProxy) Block() {
	p.mu.Lock()
	defer p.mu.Unlock()
	block(&p.requests)
	block(&p.replies)
}

// BlockReplies stops passing bytes from the server to the client: the server does what it is asked for, and the client
// does not learn of it.
func (p *TCPProxy) BlockReplies() {
	p.mu.Lock()
	defer p.mu.Unlock()
	block(&p.replies)
}

// Unblock ends Block and BlockReplies. What was held back passes now.
func (p *TCPProxy) Unblock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range []gate{p.requests, p.replies} {
		if !g.open() {
			close(g)
		}
	}
}

func block(g *gate) {
	if g.open() {
		*g = make(gate)
	}
}

// Connections returns how many connections are open.
func (p *TCPProxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *TCPProxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				p.t.Errorf("testenv: proxy: %v", err)
			}
			return
		}
		p.work.Go(func() { p.serve(client) })
	}
}

// serve passes bytes until both ends have finished, one fails, or the link is cut.
func (p *TCPProxy) serve(client net.Conn) {
	l := &link{}
	l.ctx, l.cut = context.WithCancel(p.ctx)
	defer l.cut()
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()

	dialer := net.Dialer{Timeout: 10 * time.Second}
	upstream, err := dialer.DialContext(l.ctx, "tcp", p.target)
	if err != nil {
		reset(client) // as a server that is down would refuse it
		return
	}
	stop := context.AfterFunc(l.ctx, func() { reset(client); reset(upstream) })
	defer stop()

	var directions sync.WaitGroup
	directions.Go(func() { p.pass(l, client, upstream, &p.requests) })
	directions.Go(func() { p.pass(l, upstream, client, &p.replies) })
	directions.Wait()
	// Closed already when the link was cut.
	_ = client.Close()
	_ = upstream.Close()
}

// pass copies bytes one way, while the gate is open.
func (p *TCPProxy) pass(l *link, from, to net.Conn, way *gate) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !p.wait(l, way) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				l.cut()
				return
			}
		}
		if err == nil {
			continue
		}
		if _, ok := errors.AsType[*net.OpError](err); ok {
			l.cut()
			return
		}
		// The end of the stream is passed on as well, when the gate lets it.
		if p.wait(l, way) {
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite() // fails when the other end is gone, which its own direction finds out
			}
		}
		return
	}
}

// wait returns true as soon as the gate is open, and false when the link has been cut.
func (p *TCPProxy) wait(l *link, way *gate) bool {
	for {
		p.mu.Lock()
		g := *way
		p.mu.Unlock()
		select {
		case <-g:
			return l.ctx.Err() == nil
		case <-l.ctx.Done():
			return false
		}
	}
}

// reset closes a connection so that the other end sees a reset, as after a fault, and not an orderly end.
func reset(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}

// String describes the proxy.
func (p *TCPProxy) String() string { return fmt.Sprintf("%s -> %s", p.Addr, p.target) }
