package mqtt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/eclipse/paho.golang/packets"
	"github.com/kraft-edge/datafeed/feed"
)

// numbered returns n messages whose payloads are their numbers.
func numbered(n int) []*message.Message {
	msgs := make([]*message.Message, n)
	for i := range msgs {
		msgs[i] = &message.Message{Payload: []byte(fmt.Sprint(i)), Metadata: message.Metadata{feed.MetaTopic: fmt.Sprintf("t/%d", i%7)}}
	}
	return msgs
}

func publish(t testing.TB, s *Sink, msgs ...*message.Message) error {
	t.Helper()
	return s.PublishBatch(testContext(t), feed.NewBatch(msgs...))
}

// failures returns the failures of a publish that must have failed so.
func failures(t testing.TB, err error) []feed.Failure {
	t.Helper()
	var e *feed.BatchError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *feed.BatchError", err)
	}
	for i := 1; i < len(e.Failures); i++ {
		if e.Failures[i-1].Index >= e.Failures[i].Index {
			t.Fatalf("failures %d and %d are out of order", e.Failures[i-1].Index, e.Failures[i].Index)
		}
	}
	return e.Failures
}

func indexes(fs []feed.Failure) []int {
	var is []int
	for _, f := range fs {
		is = append(is, f.Index)
	}
	return is
}

func sequence(from, to int) []int {
	var is []int
	for i := from; i < to; i++ {
		is = append(is, i)
	}
	return is
}

// expectNumbers checks that exactly the numbered messages arrived, in order.
func expectNumbers(t testing.TB, got []*packets.Publish, from, to int) {
	t.Helper()
	var have, want []string
	for _, p := range got {
		have = append(have, string(p.Payload))
	}
	for _, i := range sequence(from, to) {
		want = append(want, fmt.Sprint(i))
	}
	if !slices.Equal(have, want) {
		t.Fatalf("the broker got %d messages, want %d to %d in order: %.200v", len(have), from, to-1, have)
	}
}

func TestPublishBatchInOrder(t *testing.T) {
	for _, inflight := range []int{1, 2, 3, 100, 65535} {
		t.Run(fmt.Sprint(inflight), func(t *testing.T) {
			b := newFake(t).start()
			s := newTestSink(t, b.url(), func(c *Config) { c.MaxInflight = inflight })
			msgs := numbered(500)
			for from := 0; from < 500; from += 125 {
				if err := publish(t, s, msgs[from:from+125]...); err != nil {
					t.Fatal(err)
				}
			}
			expectNumbers(t, b.published(), 0, 500)
		})
	}
}

func TestPublishUsesTheTopicGiven(t *testing.T) {
	b := newFake(t).start()
	s := newTestSink(t, b.url())
	m := &message.Message{Payload: []byte("x"), Metadata: message.Metadata{feed.MetaTopic: "own"}}
	if err := errors.Join(s.Publish("given", m), s.Publish("", m)); err != nil {
		t.Fatal(err)
	}
	got := b.published()
	if len(got) != 2 || got[0].Topic != "given" || got[1].Topic != "own" {
		t.Fatalf("got %v", got)
	}
	if feed.Topic(m) != "own" {
		t.Error("Publish changed the message")
	}
}

func TestPubackReasonCodes(t *testing.T) {
	permanent := map[byte]bool{0x87: true, 0x90: true, 0x95: true, 0x99: true}
	for code := 0; code < 256; code++ {
		code := byte(code)
		t.Run(fmt.Sprintf("0x%02X", code), func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			b.onPublish = func(c *fakeConn, p *packets.Publish) {
				if string(p.Payload) == "1" {
					c.puback(p.PacketID, code, "because\nso")
				} else {
					c.puback(p.PacketID, 0, "")
				}
			}
			s := newTestSink(t, b.start().url())
			err := publish(t, s, numbered(3)...)
			if code < 0x80 {
				if err != nil {
					t.Fatalf("%v for a success", err)
				}
				return
			}
			fs := failures(t, err)
			if !slices.Equal(indexes(fs), []int{1}) {
				t.Fatalf("failed: %v, want only 1", indexes(fs))
			}
			if got := feed.IsPermanent(fs[0].Err); got != permanent[code] {
				t.Errorf("permanent is %v: %v", got, fs[0].Err)
			}
			var r *ReasonError
			if !errors.As(fs[0].Err, &r) || r.Code != code || r.Packet != "PUBACK" {
				t.Errorf("no reason in %v", fs[0].Err)
			}
			if text := fs[0].Err.Error(); !strings.Contains(text, `"because\nso"`) || !strings.Contains(text, `"t/1"`) {
				t.Errorf("error %q lacks the broker's words or the topic", text)
			}
			// The connection lives on.
			if err := publish(t, s, numbered(1)...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDisconnectReasonCodes(t *testing.T) {
	fatal := map[byte]bool{0x81: true, 0x82: true, 0x90: true, 0x94: true, 0x95: true, 0x99: true, 0x9A: true, 0x9B: true}
	for code := 0; code < 256; code++ {
		code := byte(code)
		t.Run(fmt.Sprintf("0x%02X", code), func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			b.onPublish = func(c *fakeConn, p *packets.Publish) {
				switch string(p.Payload) {
				case "0", "1":
					c.puback(p.PacketID, 0, "")
				case "2":
					c.disconnect(code, "a word")
				}
			}
			s := newTestSink(t, b.start().url())
			fs := failures(t, publish(t, s, numbered(5)...))
			if !slices.Equal(indexes(fs), []int{2, 3, 4}) {
				t.Fatalf("failed: %v, want 2, 3 and 4", indexes(fs))
			}
			for i, f := range fs {
				if got, want := feed.IsConnectionFatal(f.Err), fatal[code] && i == 0; got != want {
					t.Errorf("failure %d: connection-fatal is %v: %v", i, got, f.Err)
				}
				if feed.IsPermanent(f.Err) {
					t.Errorf("failure %d is permanent: %v", i, f.Err)
				}
				var r *ReasonError
				if !errors.As(f.Err, &r) || r.Code != code || r.Packet != "DISCONNECT" || r.Text != "a word" {
					t.Errorf("no reason in %v", f.Err)
				}
			}
		})
	}
}

func TestLostConnectionIsTransient(t *testing.T) {
	ends := map[string]func(c *fakeConn){
		"closed": func(c *fakeConn) { c.nc.Close() },
		"reset": func(c *fakeConn) {
			if err := c.nc.(*net.TCPConn).SetLinger(0); err != nil {
				c.b.t.Error(err)
			}
			c.nc.Close()
		},
		"empty DISCONNECT": func(c *fakeConn) { c.raw([]byte{0xe0, 0}); c.nc.Close() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			b.onPublish = func(c *fakeConn, p *packets.Publish) {
				if c.n == 0 && string(p.Payload) == "40" {
					end(c)
					return
				}
				c.puback(p.PacketID, 0, "")
			}
			s := newTestSink(t, b.start().url(), func(c *Config) { c.MaxInflight = 50 })
			msgs := numbered(200)
			fs := failures(t, publish(t, s, msgs...))
			first := fs[0].Index
			// A reset may swallow PUBACKs that were sent; nothing else may.
			if first > 40 || name != "reset" && first != 40 || !slices.Equal(indexes(fs), sequence(first, 200)) {
				t.Fatalf("failed: %v, want all from 40 on", indexes(fs))
			}
			for _, f := range fs {
				if feed.IsPermanent(f.Err) || feed.IsConnectionFatal(f.Err) {
					t.Fatalf("not transient: %v", f.Err)
				}
			}
			if err := publish(t, s, msgs[first:]...); err != nil {
				t.Fatalf("resend: %v", err)
			}
		})
	}
}

// A broker that says why it leaves and slams the door while much is being
// written is still understood.
func TestDisconnectAmidWrites(t *testing.T) {
	b := newFake(t)
	b.onPublish = func(c *fakeConn, p *packets.Publish) {
		if len(b.published()) == 3 {
			c.disconnect(0x97, "enough")
		} else if p.QoS > 0 {
			c.puback(p.PacketID, 0, "")
		}
	}
	s := newTestSink(t, b.start().url())
	big := bytes.Repeat([]byte("x"), 1<<20)
	msgs := numbered(40)
	for _, m := range msgs {
		m.Payload = big
	}
	fs := failures(t, publish(t, s, msgs...))
	if fs[0].Index > 2 || fs[len(fs)-1].Index != 39 {
		t.Fatalf("failed: %v", indexes(fs))
	}
}

func TestReceiveMaximum(t *testing.T) {
	for most := 1; most <= 20; most++ {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			rm := uint16(most)
			b.connack = &packets.Connack{Properties: &packets.Properties{ReceiveMaximum: &rm}}
			// The broker acknowledges nothing before the client has gone silent.
			const total = 101
			fullest := 0
			b.onPublish = func(c *fakeConn, p *packets.Publish) {
				if slices.Contains(c.held, p.PacketID) {
					t.Errorf("packet id %d is used twice at once", p.PacketID)
				}
				c.held = append(c.held, p.PacketID)
				if fullest = max(fullest, len(c.held)); len(c.held) > most {
					t.Errorf("%d in flight", len(c.held))
				}
				if c.silent() {
					for _, id := range c.held {
						c.puback(id, 0, "")
					}
					c.held = nil
				}
			}
			s := newTestSink(t, b.start().url())
			if err := publish(t, s, numbered(total)...); err != nil {
				t.Fatal(err)
			}
			expectNumbers(t, b.published(), 0, total)
			if fullest != most {
				t.Errorf("at most %d were in flight", fullest)
			}
		})
	}
}

// silent reports whether the client sends nothing for a moment.
func (c *fakeConn) silent() bool {
	if err := c.nc.SetReadDeadline(time.Now().Add(2 * time.Millisecond)); err != nil {
		c.b.t.Error(err)
	}
	_, err := c.in.Peek(1)
	if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
		c.b.t.Error(err)
	}
	return err != nil
}

func TestPubackOutOfOrder(t *testing.T) {
	b := newFake(t)
	b.onPublish = func(c *fakeConn, p *packets.Publish) {
		if c.held = append(c.held, p.PacketID); len(c.held) == 10 {
			slices.Reverse(c.held)
			for _, id := range c.held {
				code := byte(0)
				if id%10 == 4 {
					code = 0x97
				}
				c.puback(id, code, "")
			}
			c.held = nil
		}
	}
	s := newTestSink(t, b.start().url(), func(c *Config) { c.MaxInflight = 10 })
	fs := failures(t, publish(t, s, numbered(10)...))
	if !slices.Equal(indexes(fs), []int{3}) {
		t.Fatalf("failed: %v", fs)
	}
	if err := publish(t, s, numbered(10)...); err == nil {
		t.Fatal("the second batch has one refused message too")
	}
}

// Packet ids go round, and none is 0.
func TestPacketIDsGoRound(t *testing.T) {
	url := ackAll(t)
	s := newTestSink(t, url)
	msgs := benchMessages(10_000, 1)
	for range 14 {
		if err := publish(t, s, msgs...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProtocolErrorsDropTheConnection(t *testing.T) {
	long := append([]byte{0x40}, 0xff, 0xff, 0x7f)
	cases := map[string][]byte{
		"PUBACK for an unknown id":      {0x40, 2, 0x12, 0x34},
		"PUBACK for id 0":               {0x40, 2, 0, 0},
		"PUBACK twice":                  {0x40, 2, 0, 1, 0x40, 2, 0, 1},
		"PUBACK too short":              {0x40, 1, 0},
		"PUBACK with flags":             {0x41, 2, 0, 1},
		"PUBACK with broken properties": {0x40, 5, 0, 1, 0x87, 5, 0x1f},
		"PINGRESP unasked":              {0xd0, 0},
		"PUBLISH":                       {0x30, 4, 0, 1, 'a', 0},
		"SUBACK":                        {0x90, 4, 0, 1, 0, 0},
		"AUTH":                          {0xf0, 0},
		"length of five bytes":          {0x40, 0xff, 0xff, 0xff, 0xff, 1},
		"too long":                      long,
		"garbage":                       []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
	}
	for name, raw := range cases {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			b.onPublish = func(c *fakeConn, p *packets.Publish) {
				if c.n > 0 {
					c.puback(p.PacketID, 0, "")
				} else if string(p.Payload) == "2" {
					c.raw(raw)
				}
			}
			s := newTestSink(t, b.start().url())
			fs := failures(t, publish(t, s, numbered(3)...))
			want := []int{0, 1, 2}
			if name == "PUBACK twice" {
				want = []int{1, 2}
			}
			if !slices.Equal(indexes(fs), want) {
				t.Errorf("failed: %v, want %v", indexes(fs), want)
			}
			for _, f := range fs {
				if !errors.Is(f.Err, errProtocol) || feed.IsPermanent(f.Err) || feed.IsConnectionFatal(f.Err) {
					t.Errorf("not a transient protocol error: %v", f.Err)
				}
			}
			// Its last word may be lost when the connection is closed under it.
			if c := b.ended(0); c.left != nil && c.left.ReasonCode != packets.DisconnectProtocolError {
				t.Errorf("the client left with %v, want a protocol error", c.left)
			}
			if err := publish(t, s, numbered(3)...); err != nil {
				t.Errorf("on the next connection: %v", err)
			}
		})
	}
}

func TestLocalFailuresArePermanent(t *testing.T) {
	long := strings.Repeat("x", 65536)
	with := func(kv ...string) *message.Message {
		m := &message.Message{Metadata: message.Metadata{feed.MetaTopic: "t"}}
		for i := 0; i < len(kv); i += 2 {
			m.Metadata[kv[i]] = kv[i+1]
		}
		return m
	}
	bad := map[string]*message.Message{
		"no metadata":            {},
		"no topic":               with(feed.MetaTopic, ""),
		"plus":                   with(feed.MetaTopic, "a/+"),
		"hash":                   with(feed.MetaTopic, "a/#"),
		"plus after umlaut":      with(feed.MetaTopic, "ä/+"),
		"NUL in topic":           with(feed.MetaTopic, "a\x00"),
		"newline in topic":       with(feed.MetaTopic, "a\n"),
		"invalid UTF-8 in topic": with(feed.MetaTopic, "a\xff"),
		"surrogate in topic":     with(feed.MetaTopic, "a\xed\xa0\x80"),
		"non-character in topic": with(feed.MetaTopic, "a\ufffe"),
		"long topic":             with(feed.MetaTopic, long),
		"long header":            with("h", long),
		"long header name":       with(long, "v"),
		"binary header":          with("h", "\xff"),
		"NUL in header":          with("h", "\x00"),
		"control in header name": with("h\x7f", "v"),
		"long content type":      with(feed.MetaContentType, long),
		"long correlation id":    with(feed.MetaCorrelationID, long),
		"wildcard in reply_to":   with(feed.MetaReplyTo, "a/#"),
		"binary id":              {UUID: "\xff", Metadata: message.Metadata{feed.MetaTopic: "t"}},
		"too large":              {Payload: make([]byte, 5000), Metadata: message.Metadata{feed.MetaTopic: "t"}},
	}
	b := newFake(t)
	most := uint32(4096)
	b.connack = &packets.Connack{Properties: &packets.Properties{MaximumPacketSize: &most}}
	// Long values pass the size of the packet only where it is larger.
	large := newFake(t).start()
	for name, m := range bad {
		t.Run(name, func(t *testing.T) {
			broker := large
			if name == "too large" {
				broker = b.start()
			}
			s := newTestSink(t, broker.url())
			msgs := []*message.Message{numbered(1)[0], m, numbered(1)[0], m}
			fs := failures(t, publish(t, s, msgs...))
			if !slices.Equal(indexes(fs), []int{1, 3}) {
				t.Fatalf("failed: %v, want 1 and 3", indexes(fs))
			}
			if !feed.IsPermanent(fs[0].Err) || len(fs[0].Err.Error()) > 1500 {
				t.Errorf("not a short permanent error: %v", fs[0].Err)
			}
		})
	}
}

// A packet of exactly the size that the broker allows passes, one byte more
// does not.
func TestMaximumPacketSizeIsExact(t *testing.T) {
	for _, payload := range []int{100, 127, 128, 16383, 16384, 20000} {
		m := &message.Message{Payload: make([]byte, payload), Metadata: message.Metadata{feed.MetaTopic: "t", "k": "v"}}
		e := newEncoder(DefaultConfig())
		head, err := e.header(nil, "t", m, 1)
		if err != nil {
			t.Fatal(err)
		}
		size := len(head) + payload
		e.limit(size, "the broker")
		if _, err := e.header(nil, "t", m, 1); err != nil {
			t.Errorf("payload %d, limit %d: %v", payload, size, err)
		}
		e.limit(size-1, "the broker")
		if got, err := e.header([]byte("kept"), "t", m, 1); err == nil || string(got) != "kept" {
			t.Errorf("payload %d, limit %d: sent", payload, size-1)
		}
	}
}

func TestContextEndsPublish(t *testing.T) {
	b := newFake(t)
	arrived := make(chan struct{}, 100)
	late := make(chan struct{})
	b.onPublish = func(c *fakeConn, p *packets.Publish) {
		if c.n > 0 {
			c.puback(p.PacketID, 0, "")
			return
		}
		arrived <- struct{}{}
		if string(p.Payload) == "2" {
			<-late // the acknowledgement comes after the caller has gone
			for id := range 3 {
				c.puback(uint16(id+1), 0, "")
			}
		}
	}
	s := newTestSink(t, b.start().url())
	ctx, cancel := context.WithCancel(testContext(t))
	go func() {
		for range 3 {
			<-arrived
		}
		cancel()
	}()
	err := s.PublishBatch(ctx, feed.NewBatch(numbered(3)...))
	close(late)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want a cancellation", err)
	}
	if errors.As(err, new(*feed.BatchError)) {
		t.Errorf("%v claims to know the outcome", err)
	}
	if err := publish(t, s, numbered(3)...); err != nil {
		t.Fatal(err)
	}
	b.ended(0)
}

func TestCloseEndsPublish(t *testing.T) {
	b := newFake(t)
	arrived := make(chan struct{}, 1)
	b.onPublish = func(c *fakeConn, p *packets.Publish) { arrived <- struct{}{} }
	s := newTestSink(t, b.start().url())
	result := make(chan error, 1)
	go func() { result <- s.PublishBatch(context.Background(), feed.NewBatch(numbered(1)...)) }()
	<-arrived
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := errors.Join(s.Probe(testContext(t))); !errors.Is(err, ErrClosed) {
		t.Errorf("probe: %v", err)
	}
	if c := b.ended(0); c.left == nil || c.left.ReasonCode != 0 {
		t.Errorf("the client left with %v, want a normal disconnection", c.left)
	}
}

func TestQoS0(t *testing.T) {
	b := newFake(t).start()
	s := newTestSink(t, b.url(), func(c *Config) { c.QoS = 0 })
	if s.Durable() {
		t.Error("QoS 0 counts as durable")
	}
	if err := publish(t, s, numbered(300)...); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(testContext(t)); err != nil { // the ping comes after them
		t.Fatal(err)
	}
	expectNumbers(t, b.published(), 0, 300)
}

func TestProbe(t *testing.T) {
	b := newFake(t).start()
	s := newTestSink(t, b.url())
	for range 3 {
		if err := s.Probe(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	b.ln.Close()
	b.mu.Lock()
	if len(b.conns) != 1 {
		t.Errorf("%d connections", len(b.conns))
	}
	b.conns[0].nc.Close()
	b.mu.Unlock()
	b.ended(0)
	// The first may still find the old connection.
	for range 2 {
		if err := s.Probe(testContext(t)); err == nil {
			t.Error("the probe succeeds without a broker")
		}
	}
}

func TestFactories(t *testing.T) {
	registry, err := feed.NewRegistry(Factories()...)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := registry.Lookup(feed.KindSink, "mqtt")
	c := f.NewConfig().(*Config)
	c.URL = feed.NewURL("mqtt://127.0.0.1:1")
	s, err := f.Sink(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // before use
		t.Fatal(err)
	}
	c.QoS = 2
	if s, err := f.Sink(c, feed.StageEnv{}); err == nil || s != nil {
		t.Errorf("QoS 2: %v, %v", s, err)
	}

	f, _ = registry.Lookup(feed.KindSource, "mqtt")
	sc := f.NewConfig().(*SourceConfig)
	sc.URL, sc.ClientID, sc.Topics = c.URL, "consumer", []string{"#"}
	source, err := f.Source(sc, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Close(); err != nil { // before use
		t.Fatal(err)
	}
	sc.ClientID = ""
	if source, err := f.Source(sc, feed.StageEnv{}); err == nil || source != nil {
		t.Errorf("no clientId: %v, %v", source, err)
	}
}
