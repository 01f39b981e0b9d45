package mqtt

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/kraft-edge/datafeed/feed"
)

// fakeBroker serves scripted connections on loopback. What it does with a
// publish is up to onPublish.
type fakeBroker struct {
	t  testing.TB
	ln net.Listener

	connack   *packets.Connack                      // nil: success without properties
	onConnect func(c *fakeConn, p *packets.Connect) // instead of answering with connack
	onPublish func(c *fakeConn, p *packets.Publish) // nil: PUBACK at once
	onPing    func(c *fakeConn)                     // nil: PINGRESP at once
	onOther   func(c *fakeConn, p packets.Packet)   // nil: nothing else may come

	tasks sync.WaitGroup
	mu    sync.Mutex
	conns []*fakeConn
	got   []*packets.Publish // all, in the order of arrival
}

// fakeConn is the broker's side of one connection.
type fakeConn struct {
	b       *fakeBroker
	n       int // 0 for the first connection, and so on
	nc      net.Conn
	in      *bufio.Reader
	connect *packets.Connect
	// The handlers run on one goroutine a connection, so it is theirs.
	held []uint16
	over bool                // the handler has closed it; what is still read is ignored
	left *packets.Disconnect // what the client said in the end
	gone chan struct{}       // closed when the connection has ended
}

func newFake(t testing.TB) *fakeBroker { return &fakeBroker{t: t} }

// start listens; call it after the handlers are set.
func (b *fakeBroker) start() *fakeBroker {
	b.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	b.serveOn(ln)
	return b
}

func (b *fakeBroker) serveOn(ln net.Listener) {
	b.ln = ln
	b.tasks.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			b.tasks.Go(func() { b.serve(nc) })
		}
	})
	b.t.Cleanup(b.stop)
}

func (b *fakeBroker) stop() {
	b.ln.Close()
	b.mu.Lock()
	for _, c := range b.conns {
		c.nc.Close()
	}
	b.mu.Unlock()
	b.tasks.Wait()
}

func (b *fakeBroker) url() string { return "mqtt://" + b.ln.Addr().String() }

func (b *fakeBroker) serve(nc net.Conn) {
	defer nc.Close()
	c := &fakeConn{b: b, nc: nc, in: bufio.NewReader(nc), gone: make(chan struct{})}
	defer close(c.gone)
	b.mu.Lock()
	c.n = len(b.conns)
	b.conns = append(b.conns, c)
	b.mu.Unlock()
	for {
		cp, err := packets.ReadPacket(c.in)
		if err != nil {
			return
		}
		switch p := cp.Content.(type) {
		case *packets.Connect:
			c.connect = p
			switch {
			case b.onConnect != nil:
				b.onConnect(c, p)
			case b.connack != nil:
				c.send(b.connack)
			default:
				c.send(&packets.Connack{Properties: &packets.Properties{}})
			}
		case *packets.Publish:
			b.mu.Lock()
			b.got = append(b.got, p)
			b.mu.Unlock()
			if b.onPublish != nil {
				b.onPublish(c, p)
			} else if p.QoS > 0 {
				c.puback(p.PacketID, 0, "")
			}
		case *packets.Pingreq:
			if b.onPing != nil {
				b.onPing(c)
			} else {
				c.send(&packets.Pingresp{})
			}
		case *packets.Disconnect:
			c.left = p
		default:
			if b.onOther == nil {
				b.t.Errorf("the client sent %v", cp)
				return
			}
			b.onOther(c, cp.Content)
		}
	}
}

func (c *fakeConn) send(p io.WriterTo) {
	var buf bytes.Buffer
	if _, err := p.WriteTo(&buf); err != nil {
		c.b.t.Error(err)
	}
	c.raw(buf.Bytes())
}

// raw writes what may be garbage; the client may have gone.
func (c *fakeConn) raw(p []byte) { _, _ = c.nc.Write(p) }

func (c *fakeConn) puback(id uint16, code byte, text string) {
	if code == 0 && text == "" {
		c.raw([]byte{0x40, 2, byte(id >> 8), byte(id)})
		return
	}
	c.send(&packets.Puback{PacketID: id, ReasonCode: code, Properties: &packets.Properties{ReasonString: text}})
}

func (c *fakeConn) disconnect(code byte, text string) {
	c.send(&packets.Disconnect{ReasonCode: code, Properties: &packets.Properties{ReasonString: text}})
	c.nc.Close()
}

func (b *fakeBroker) published() []*packets.Publish {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*packets.Publish(nil), b.got...)
}

// ended returns connection n once it has ended.
func (b *fakeBroker) ended(n int) *fakeConn {
	b.t.Helper()
	b.mu.Lock()
	c := b.conns[n]
	b.mu.Unlock()
	select {
	case <-c.gone:
	case <-time.After(time.Minute):
		b.t.Fatal("the client keeps the connection")
	}
	return c
}

// newTestSink returns a sink for url, closed with the test.
func newTestSink(t testing.TB, url string, change ...func(*Config)) *Sink {
	t.Helper()
	c := DefaultConfig()
	c.URL = feed.NewURL(url)
	for _, f := range change {
		f(&c)
	}
	s, err := NewSink(c, feed.StageEnv{Feed: "test", Route: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
