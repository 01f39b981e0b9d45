package amqp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

func TestSocketGathersWhatIsCorked(t *testing.T) {
	near, far := net.Pipe()
	s := newSocket(near, near, time.Minute)
	got := make(chan string, 10)
	go func() {
		defer close(got)
		buf := make([]byte, 4*bufferSize)
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			got <- string(buf[:n])
		}
	}()
	write := func(text string) {
		t.Helper()
		if _, err := s.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	if g := <-got; g != "a" {
		t.Errorf("got %q", g)
	}
	s.Cork()
	s.Cork()
	write("b")
	write("c")
	noError(t, s.Uncork())
	write("d")
	noError(t, s.Uncork())
	if g := <-got; g != "bcd" {
		t.Errorf("got %q, want all corked writes in one", g)
	}
	s.Cork()
	write(strings.Repeat("x", bufferSize)) // too much to keep
	if g := <-got; len(g) != bufferSize {
		t.Errorf("got %d bytes", len(g))
	}
	noError(t, s.Uncork())
	noError(t, s.Close())
	<-got
	if _, err := s.Write([]byte("e")); err == nil {
		t.Error("write after close reports success")
	}
	_ = far.Close()
}

func TestSocketReads(t *testing.T) {
	near, far := net.Pipe()
	s := newSocket(near, near, time.Minute)
	go func() {
		_, _ = far.Write([]byte("hello"))
		_ = far.Close()
	}()
	all, err := io.ReadAll(s)
	noError(t, err)
	if string(all) != "hello" || !s.aborted.Load() {
		t.Errorf("got %q, aborted %v", all, s.aborted.Load())
	}
}

func TestSocketNoticesADeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		s := newSocket(near, near, 3*time.Second)
		start := time.Now()
		noError(t, s.keepAlive(20*time.Second))
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 20*time.Second {
			t.Errorf("read: %v after %v", err, time.Since(start))
		}

		near2, far2 := net.Pipe()
		defer far2.Close()
		s = newSocket(near2, near2, 3*time.Second)
		start = time.Now()
		if _, err := s.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("write: %v after %v", err, time.Since(start))
		}
		if !s.aborted.Load() {
			t.Error("a socket that lost part of a frame is still open")
		}
	})
}

// A socket is read in steps while deliveries come often: what a read brings is
// handed on whole. With TLS, where a read brings one record at the most, it is
// read on at once.
func TestSocketRests(t *testing.T) {
	for _, c := range []struct {
		name  string
		tls   bool
		rests bool
		want  int
	}{
		{"rests", false, true, 3},
		{"TLS", true, true, 0},
		{"an inbox that does not rest", false, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				conn := near
				if c.tls {
					conn = struct{ net.Conn }{near}
				}
				s := newSocket(conn, near, time.Minute)
				box := newInbox(feed.MiB)
				box.rests = c.rests
				defer s.in.deliver("ours", box)()
				var ended sync.WaitGroup
				ended.Go(func() { _, _ = s.Read(make([]byte, 100)) })
				long := 0
				for i := range 4 {
					d := &amqp091.Delivery{DeliveryTag: uint64(i + 1), Body: []byte("x")}
					begin := time.Now()
					_, err := far.Write(bytes.Join(deliverFrames(1, "ours", d, 10), nil))
					noError(t, err)
					synctest.Wait()
					if time.Since(begin) == restFor {
						long++
					}
					if got, err := box.Take(t.Context(), nil, 10); err != nil || len(got) != 1 {
						t.Fatalf("%d deliveries, %v", len(got), err)
					}
				}
				if long != c.want {
					t.Errorf("%d of 4 deliveries waited for the end of a rest, want %d", long, c.want)
				}
				noError(t, s.Close())
				ended.Wait()
				_ = far.Close()
			})
		})
	}
}
