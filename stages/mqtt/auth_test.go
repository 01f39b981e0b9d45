package mqtt

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/embedded"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// tokenMount is a projected volume with a token, as the kubelet makes it: the
// file is a symbolic link through a directory that is replaced as a whole.
type tokenMount struct {
	t   testing.TB
	dir string
	n   int
}

func newTokenMount(t testing.TB, token string) *tokenMount {
	t.Helper()
	m := &tokenMount{t: t, dir: t.TempDir()}
	m.rotate(token)
	if err := os.Symlink(filepath.Join("..data", "broker-sat"), m.file()); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *tokenMount) file() string { return filepath.Join(m.dir, "broker-sat") }

func (m *tokenMount) rotate(token string) {
	m.t.Helper()
	m.n++
	data := filepath.Join(m.dir, "..data-"+string(rune('a'+m.n)))
	if err := os.Mkdir(data, 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "broker-sat"), []byte(token+"\n"), 0o600); err != nil {
		m.t.Fatal(err)
	}
	link := filepath.Join(m.dir, "..data")
	if err := os.Symlink(filepath.Base(data), link+"_tmp"); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(link+"_tmp", link); err != nil {
		m.t.Fatal(err)
	}
}

func (m *tokenMount) auth() Auth {
	return Auth{Method: AuthServiceAccountToken, TokenFile: m.file()}
}

// The token is replaced several times, and the old one revoked, while messages
// flow: no connection is lost and nothing is missing.
func TestTokenRotatesUnderLoad(t *testing.T) {
	t.Parallel() // it waits most of the time
	tokens := embedded.NewTokens("token-0")
	broker, err := embedded.StartWithTokens(tokens)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	mount := newTokenMount(t, "token-0")
	source := newTestSource(t, broker.URL(), func(c *SourceConfig) { c.Auth, c.PingTimeout = mount.auth(), 2*time.Second })
	sink := newTestSink(t, broker.URL(), func(c *Config) { c.Auth, c.AckTimeout = mount.auth(), 2*time.Second })
	sub := mustSubscribe(t, source)

	const batches, size = 200, 50
	stop, published := make(chan struct{}), make(chan error, 1)
	var total atomic.Int64
	go func() {
		for {
			select {
			case <-stop:
				published <- nil
				return
			default:
			}
			msgs := make([]*message.Message, size)
			for i := range msgs {
				msgs[i] = &message.Message{Payload: strconv.AppendInt(nil, total.Add(1)-1, 10), Metadata: message.Metadata{feed.MetaTopic: "plant/a"}}
			}
			if err := sink.Publish("", msgs...); err != nil {
				published <- err
				return
			}
		}
	}()
	got := 0
	take := func(n int) {
		t.Helper()
		for _, d := range receive(t, sub, n) {
			if n := atoi(t, d.Message.Payload); n != got {
				t.Fatalf("message %d in the place of %d", n, got)
			}
			got++
			settle(t, sub, d)
		}
	}
	for i := range 3 {
		take(batches)
		old, fresh := "token-"+string(rune('0'+i)), "token-"+string(rune('1'+i))
		tokens.Accept(fresh)
		mount.rotate(fresh)
		for tokens.Holders(fresh) < 2 { // while messages flow
			take(1)
		}
		if n := tokens.Revoke(old); n != 0 {
			t.Fatalf("%d clients were disconnected with the old token", n)
		}
	}
	close(stop)
	for got < int(total.Load()) { // it may be held back until it is caught up with
		take(1)
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	take(int(total.Load()) - got)
	if err := sub.failure(); err != nil {
		t.Errorf("the subscription has ended: %v", err)
	}
	t.Logf("%d messages over three rotations", got)
}

// Who misses the rotation is disconnected and comes back with the file's token.
func TestRevokedToken(t *testing.T) {
	tokens := embedded.NewTokens("one")
	broker, err := embedded.StartWithTokens(tokens)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	mount := newTokenMount(t, "one")
	source := newTestSource(t, broker.URL(), func(c *SourceConfig) { c.Auth = mount.auth() })
	sink := newTestSink(t, broker.URL(), func(c *Config) { c.Auth = mount.auth() })
	sub := mustSubscribe(t, source)
	put(t, sink, []byte("0"))
	tokens.Accept("two")
	mount.rotate("two")
	if n := tokens.Revoke("one"); n != 2 {
		t.Fatalf("%d were disconnected, want 2", n)
	}
	var reason *ReasonError
	for { // the first message may come before the end
		ds, err := sub.Receive(testContext(t), nil, 1)
		if err == nil {
			if len(ds) != 1 {
				t.Fatal("nothing received")
			}
			continue
		}
		if !errors.As(err, &reason) || reason.Code != 0x87 {
			t.Fatalf("receive: %v", err)
		}
		break
	}
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	sub = mustSubscribe(t, source)
	testenv.Eventually(t, time.Minute, "the sink to be back", func() bool { return sink.Probe(t.Context()) == nil })
	put(t, sink, []byte("1"))
	settle(t, sub, receive(t, sub, 2)...)
}

func TestUnknownTokenIsRefused(t *testing.T) {
	broker, err := embedded.StartWithTokens(embedded.NewTokens("one"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	mount := newTokenMount(t, "forged")
	sink := newTestSink(t, broker.URL(), func(c *Config) { c.Auth = mount.auth() })
	var reason *ReasonError
	if err := sink.Probe(testContext(t)); !errors.As(err, &reason) || reason.Packet != "CONNACK" || strings.Contains(err.Error(), "forged") {
		t.Errorf("probe: %v", err)
	}
	mount.rotate("one") // a new connection reads the file anew
	if err := sink.Probe(testContext(t)); err != nil {
		t.Errorf("probe with the right token: %v", err)
	}
}

// What the broker says to a new token is checked.
func TestAnswerToANewToken(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(*fakeConn, *packets.Auth)
		want   string // in the error; "": the connection goes on
	}{
		"taken": {func(c *fakeConn, _ *packets.Auth) {
			c.send(&packets.Auth{Properties: &packets.Properties{AuthMethod: serviceAccountToken}})
		}, ""},
		"taken without a word": {func(c *fakeConn, _ *packets.Auth) { c.raw([]byte{0xf0, 0}) }, ""},
		"refused":              {func(c *fakeConn, _ *packets.Auth) { c.disconnect(0x87, "expired") }, "not authorized (DISCONNECT 0x87)"},
		"a further step": {func(c *fakeConn, _ *packets.Auth) {
			c.send(&packets.Auth{ReasonCode: 0x18, Properties: &packets.Properties{AuthMethod: serviceAccountToken}})
		}, "AUTH 0x18"},
		"other method": {func(c *fakeConn, _ *packets.Auth) {
			c.send(&packets.Auth{Properties: &packets.Properties{AuthMethod: "SCRAM"}})
		}, "SCRAM"},
		"silence": {func(*fakeConn, *packets.Auth) {}, "no answer to a new token"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			mount := newTokenMount(t, "one")
			asked := make(chan *packets.Auth, 1)
			b.onOther = func(k *fakeConn, p packets.Packet) {
				a := p.(*packets.Auth)
				c.answer(k, a)
				asked <- a
			}
			b.start()
			log := &testLog{}
			cfg := DefaultConfig()
			cfg.URL, cfg.Auth, cfg.AckTimeout = feed.NewURL(b.url()), mount.auth(), 400*time.Millisecond
			s, err := NewSink(cfg, feed.StageEnv{Logger: slog.New(slog.NewTextHandler(log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			if err := s.Probe(testContext(t)); err != nil {
				t.Fatal(err)
			}
			if p := b.conns[0].connect.Properties; p.AuthMethod != "K8S-SAT" || string(p.AuthData) != "one" {
				t.Errorf("CONNECT with %q %q", p.AuthMethod, p.AuthData)
			}
			mount.rotate("two")
			a := <-asked
			if a.ReasonCode != packets.AuthReauthenticate || a.Properties.AuthMethod != "K8S-SAT" || string(a.Properties.AuthData) != "two" {
				t.Errorf("AUTH %v", a)
			}
			if c.want == "" {
				testenv.Eventually(t, time.Minute, "the token to be taken", func() bool { return log.has("has taken a new token") })
				if err := s.conn.failure(); err != nil || s.Events()[eventTokenRenewed] != 1 {
					t.Errorf("the connection has ended: %v; events %v", err, s.Events())
				}
				return
			}
			select {
			case <-s.conn.done:
			case <-time.After(time.Minute):
				t.Fatal("the connection goes on")
			}
			if err := s.conn.failure(); !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "two") {
				t.Errorf("the connection ended with %v, want %q", err, c.want)
			}
		})
	}
}

// A token that cannot be read for a moment costs no connection.
func TestTokenFileIsAwayForAMoment(t *testing.T) {
	b := newFake(t)
	mount := newTokenMount(t, "one")
	asked := make(chan *packets.Auth, 1)
	b.onOther = func(k *fakeConn, p packets.Packet) {
		k.send(&packets.Auth{Properties: &packets.Properties{}})
		asked <- p.(*packets.Auth)
	}
	b.start()
	log := &testLog{}
	c := DefaultConfig()
	c.URL, c.Auth, c.AckTimeout = feed.NewURL(b.url()), mount.auth(), 400*time.Millisecond
	s, err := NewSink(c, feed.StageEnv{Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Probe(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(mount.file()); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, time.Minute, "a word of it", func() bool { return log.has("the token cannot be read") })
	if err := os.WriteFile(mount.file(), []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a := <-asked; string(a.Properties.AuthData) != "two" {
		t.Errorf("AUTH with %q", a.Properties.AuthData)
	}
	if err := s.conn.failure(); err != nil {
		t.Errorf("the connection has ended: %v", err)
	}
	if n := strings.Count(log.String(), "cannot be read"); n != 1 {
		t.Errorf("%d words of one failure", n)
	}
}

func TestTokenFileProblems(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": " \n", "too long": strings.Repeat("x", maxToken+1),
		"too much to read": "x" + strings.Repeat(" ", maxTokenFile) + "x"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readToken(file); err == nil || !strings.Contains(err.Error(), "auth.tokenFile") || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The longest token is one, whatever white space is around it.
	longest, file := strings.Repeat("x", maxToken), filepath.Join(dir, "longest")
	if err := os.WriteFile(file, []byte(" "+longest+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if token, err := readToken(file); err != nil || string(token) != longest {
		t.Errorf("%d bytes, %v", len(token), err)
	}
	if _, err := readToken(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
