package testenv_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// echo starts a server that returns each line, and tells of each on the channel.
func echo(t *testing.T) (addr string, lines <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 100)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer conn.Close()
				reader := bufio.NewReader(conn)
				for {
					line, err := reader.ReadString('\n')
					if err != nil {
						return
					}
					seen <- line
					if _, err := io.WriteString(conn, line); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		work.Wait()
	})
	return listener.Addr().String(), seen
}

type client struct {
	t      *testing.T
	conn   net.Conn
	reader *bufio.Reader
}

func connect(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, conn: conn, reader: bufio.NewReader(conn)}
}

func (c *client) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, line); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) wants(line string) {
	c.t.Helper()
	got, err := c.reader.ReadString('\n')
	if err != nil || got != line {
		c.t.Fatalf("read %q, %v; want %q", got, err, line)
	}
}

// wantsNothing reads for a short while.
func (c *client) wantsNothing() {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		c.t.Fatal(err)
	}
	if b, err := c.reader.Peek(1); err == nil {
		c.t.Fatalf("read %q through a blocked proxy", b)
	}
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		c.t.Fatal(err)
	}
}

func TestProxyPassesBytes(t *testing.T) {
	target, _ := echo(t)
	c := connect(t, testenv.Proxy(t, target).Addr)
	c.send("hello\n")
	c.wants("hello\n")
	// The end of the stream passes too, in both directions.
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(c.reader); err != nil || len(rest) != 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

func TestProxyBlocks(t *testing.T) {
	target, seen := echo(t)
	p := testenv.Proxy(t, target)
	c := connect(t, p.Addr)
	c.send("one\n")
	c.wants("one\n")
	<-seen

	p.Block()
	c.send("two\n")
	c.wantsNothing()
	late := connect(t, p.Addr)
	late.send("three\n")
	late.wantsNothing()
	select {
	case line := <-seen:
		t.Fatalf("the server saw %q through a blocked proxy", line)
	default:
	}
	p.Unblock()
	c.wants("two\n")
	late.wants("three\n")
}

func TestProxyBlocksReplies(t *testing.T) {
	target, seen := echo(t)
	p := testenv.Proxy(t, target)
	c := connect(t, p.Addr)
	p.BlockReplies()
	c.send("done\n")
	if line := <-seen; line != "done\n" {
		t.Fatalf("the server saw %q", line)
	}
	c.wantsNothing()
	p.Unblock()
	c.wants("done\n")
}

func TestProxyCutsAlsoWhileBlocked(t *testing.T) {
	target, _ := echo(t)
	p := testenv.Proxy(t, target)
	c := connect(t, p.Addr)
	c.send("one\n")
	c.wants("one\n")
	p.Block()
	c.send("two\n")
	if n := p.Cut(); n != 1 {
		t.Errorf("cut %d connections, want 1", n)
	}
	if _, err := c.reader.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after the cut: %v, want a reset", err)
	}
	p.Unblock()
	again := connect(t, p.Addr)
	again.send("three\n")
	again.wants("three\n")
}

func TestProxyRefuses(t *testing.T) {
	target, _ := echo(t)
	p := testenv.Proxy(t, target)
	c := connect(t, p.Addr)
	c.send("one\n")
	c.wants("one\n")
	p.Refuse()
	p.Refuse()
	if conn, err := net.Dial("tcp", p.Addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: %v, %v; want a refusal", conn, err)
	}
	c.send("two\n")
	c.wants("two\n")
	p.Accept()
	p.Accept()
	again := connect(t, p.Addr)
	again.send("three\n")
	again.wants("three\n")
}

func TestProxyResetsWhenTargetIsDown(t *testing.T) {
	target, _ := echo(t)
	down := testenv.Proxy(t, target)
	down.Refuse()
	// Depending on who is faster, the reset is seen by the dial or by the first read.
	conn, err := net.Dial("tcp", testenv.Proxy(t, down.Addr).Addr)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("dial and read: %v, want a reset", err)
	}
}
