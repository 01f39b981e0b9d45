package mqtt

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/kraft-edge/datafeed/feed"
)

func TestConnackRefusals(t *testing.T) {
	for code := 1; code < 256; code++ {
		b := newFake(t)
		b.connack = &packets.Connack{ReasonCode: byte(code), Properties: &packets.Properties{ReasonString: "not\x1btoday"}}
		s := newTestSink(t, b.start().url())
		err := publish(t, s, numbered(1)...)
		var r *ReasonError
		if !errors.As(err, &r) || r.Packet != "CONNACK" || r.Code != byte(code) || !strings.Contains(err.Error(), `"not\x1btoday"`) {
			t.Errorf("0x%02X: got %v", code, err)
		}
		if feed.IsPermanent(err) || errors.As(err, new(*feed.BatchError)) {
			t.Errorf("0x%02X: %v is taken for the messages' fault", code, err)
		}
		b.stop()
	}
}

func TestConnackGrantsTooLittle(t *testing.T) {
	zero := byte(0)
	cases := map[string]struct {
		props  packets.Properties
		config func(*Config)
		key    string // "": it will do
	}{
		"QoS 0 for QoS 1":            {packets.Properties{MaximumQOS: &zero}, func(c *Config) {}, "qos"},
		"QoS 0 for QoS 0":            {packets.Properties{MaximumQOS: &zero}, func(c *Config) { c.QoS = 0 }, ""},
		"no retain for retained":     {packets.Properties{RetainAvailable: &zero}, func(c *Config) { c.Retain = true }, "retain"},
		"no retain for not retained": {packets.Properties{RetainAvailable: &zero}, func(c *Config) {}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			b.connack = &packets.Connack{Properties: &c.props}
			s := newTestSink(t, b.start().url(), c.config)
			err := publish(t, s, numbered(1)...)
			if c.key == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *feed.ConfigError
			if !errors.As(err, &e) || e.Key != c.key {
				t.Fatalf("got %v, want a *feed.ConfigError about %s", err, c.key)
			}
			if n := len(b.published()); n > 0 {
				t.Errorf("%d messages were sent all the same", n)
			}
			b.ended(0)
		})
	}
}

func TestConnackThatIsNone(t *testing.T) {
	zero16, zero32 := uint16(0), uint32(0)
	cases := map[string]func(c *fakeConn){
		"garbage":           func(c *fakeConn) { c.raw([]byte("SSH-2.0-OpenSSH_9.2\r\n")) },
		"closed":            func(c *fakeConn) { c.nc.Close() },
		"PUBACK":            func(c *fakeConn) { c.puback(1, 0, "") },
		"truncated":         func(c *fakeConn) { c.raw([]byte{0x20, 3, 0}); c.nc.Close() },
		"too short":         func(c *fakeConn) { c.raw([]byte{0x20, 1, 0}) },
		"too long":          func(c *fakeConn) { c.raw([]byte{0x20, 0xff, 0xff, 0xff, 0x7f}) },
		"broken properties": func(c *fakeConn) { c.raw([]byte{0x20, 5, 0, 0, 2, 0x21, 0}) },
		"MQTT 3.1.1":        func(c *fakeConn) { c.raw([]byte{0x20, 2, 0, 1}) },
		"DISCONNECT":        func(c *fakeConn) { c.disconnect(0x89, "busy") },
		"Receive Maximum 0": func(c *fakeConn) { c.send(&packets.Connack{Properties: &packets.Properties{ReceiveMaximum: &zero16}}) },
		"Maximum Packet Size 0": func(c *fakeConn) {
			c.send(&packets.Connack{Properties: &packets.Properties{MaximumPacketSize: &zero32}})
		},
	}
	for name, answer := range cases {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			b.onConnect = func(c *fakeConn, _ *packets.Connect) { answer(c) }
			s := newTestSink(t, b.start().url())
			if err := s.Probe(testContext(t)); err == nil || !strings.HasPrefix(err.Error(), "connect to mqtt://") {
				t.Errorf("got %v, want a failed connect", err)
			}
			b.ended(0)
		})
	}
}

func TestConnectPacket(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "none")
	b := newFake(t).start()
	s := newTestSink(t, b.url(), func(c *Config) {
		c.ClientID, c.Username, c.Password = "me", "someone", feed.NewSecret("hush")
		c.KeepAlive = 45 * time.Second
	})
	if err := s.Probe(testContext(t)); err != nil {
		t.Fatal(err)
	}
	p := b.conns[0].connect
	if p.ClientID != "me" || p.Username != "someone" || string(p.Password) != "hush" || p.KeepAlive != 45 || !p.CleanStart || p.ProtocolVersion != 5 {
		t.Errorf("got %v", p)
	}
	if p.Properties.SessionExpiryInterval != nil || *p.Properties.RequestProblemInfo != 1 || *p.Properties.MaximumPacketSize != maxIncoming {
		t.Errorf("got %v", p.Properties)
	}
	s = newTestSink(t, b.url(), func(c *Config) { c.Username, c.Password = "someone", feed.SecretFile(secret) })
	if err := s.Probe(testContext(t)); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("got %v, want that the password cannot be read", err)
	}
}

func TestClientIDIsNewAndPlain(t *testing.T) {
	one, two := newClientID("lìne 3/x"), newClientID("lìne 3/x")
	if one == two || !strings.HasPrefix(one, "feed-l-ne-3-x-") || len(newClientID(strings.Repeat("x", 1000))) > 100 {
		t.Errorf("got %q and %q", one, two)
	}
}

// One attempt for each call, bounded by connectTimeout, by ctx and by Close.
func TestConnectEnds(t *testing.T) {
	silent := newFake(t)
	greeted := make(chan struct{}, 10)
	silent.onConnect = func(*fakeConn, *packets.Connect) { greeted <- struct{}{} }
	silent.start()
	t.Run("by timeout", func(t *testing.T) {
		s := newTestSink(t, silent.url(), func(c *Config) { c.ConnectTimeout = 50 * time.Millisecond })
		if err := s.Probe(testContext(t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		<-greeted
	})
	t.Run("by context", func(t *testing.T) {
		s := newTestSink(t, silent.url())
		ctx, cancel := context.WithCancel(testContext(t))
		go func() { <-greeted; cancel() }()
		if err := s.PublishBatch(ctx, feed.NewBatch(numbered(1)...)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("by Close", func(t *testing.T) {
		s := newTestSink(t, silent.url())
		closed := make(chan error, 1)
		go func() { <-greeted; closed <- s.Close() }()
		if err := s.Probe(testContext(t)); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
	t.Run("after one attempt", func(t *testing.T) {
		s := newTestSink(t, "mqtt://127.0.0.1:1")
		attempts := 0
		s.dial = func(context.Context, string, string) (net.Conn, error) {
			attempts++
			return nil, errors.New("no route")
		}
		if err := s.Probe(testContext(t)); err == nil || attempts != 1 {
			t.Errorf("got %v after %d attempts", err, attempts)
		}
	})
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	b := newFake(t)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	b.serveOn(ln)
	s := newTestSink(t, "unix://"+path)
	if err := publish(t, s, numbered(3)...); err != nil {
		t.Fatal(err)
	}
}
