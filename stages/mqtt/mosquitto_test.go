package mqtt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

func atoi(t testing.TB, p []byte) int {
	t.Helper()
	n, err := strconv.Atoi(string(p))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMosquittoKeepsOrder(t *testing.T) {
	t.Parallel() // it waits most of the time
	for name, settings := range map[string]string{
		"Receive Maximum of 65535": "max_inflight_messages 0",
		"Receive Maximum of 20":    "max_inflight_messages 20",
	} {
		t.Run(name, func(t *testing.T) {
			broker := testenv.Mosquitto(t, testenv.WithMosquittoSettings(settings))
			sub := subscribe(t, broker.Addr, nil)
			s := newTestSink(t, broker.URL())
			msgs := numbered(10_000)
			for part := range slices.Chunk(msgs, 500) {
				if err := publish(t, s, part...); err != nil {
					t.Fatal(err)
				}
			}
			sub.expect(t, 0, 10_000)
		})
	}
}

func TestMosquittoGetsTheProperties(t *testing.T) {
	broker := testenv.Mosquitto(t)
	sub := subscribe(t, broker.Addr, nil)
	s := newTestSink(t, broker.URL(), func(c *Config) {
		c.Retain = true
		c.MessageExpiry = time.Hour
	})
	err := publish(t, s, &message.Message{
		UUID:    "an-id",
		Payload: []byte("pay\x00load"),
		Metadata: message.Metadata{
			feed.MetaTopic: "krä/ft", feed.MetaTime: "2026-01-02T03:04:05Z", feed.MetaContentType: "text/plain",
			feed.MetaCorrelationID: "\xff\x00", feed.MetaReplyTo: "answers/here", "x-plant": "north", "message-id": "not this", "empty": "",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := sub.wait(1)[0]
	if p.Topic != "krä/ft" || string(p.Payload) != "pay\x00load" || !p.Retain || p.QoS != 1 {
		t.Errorf("got %v", p)
	}
	if p.Properties.ContentType != "text/plain" || string(p.Properties.CorrelationData) != "\xff\x00" || p.Properties.ResponseTopic != "answers/here" {
		t.Errorf("got %+v", p.Properties)
	}
	if e := p.Properties.MessageExpiry; e == nil || *e > 3600 || *e < 3590 {
		t.Errorf("message expiry %v", e)
	}
	got := map[string]string{}
	for _, u := range p.Properties.User {
		if _, twice := got[u.Key]; twice {
			t.Errorf("user property %q twice", u.Key)
		}
		got[u.Key] = u.Value
	}
	want := map[string]string{"message-id": "an-id", "time": "2026-01-02T03:04:05Z", "x-plant": "north", "empty": ""}
	if len(got) != len(want) {
		t.Errorf("user properties %v, want %v", got, want)
	}
	for k, v := range want {
		if g, ok := got[k]; !ok || g != v {
			t.Errorf("user property %q is %q, want %q", k, g, v)
		}
	}
}

// queued is a limit that does not matter. With max_queued_messages 0 Mosquitto
// 2.0.11 closes the connection after each publish that it refuses.
const queued = "max_queued_messages 1000000"

// What an access list forbids is reported, as permanent, and nothing else is.
func TestMosquittoRefusesByACL(t *testing.T) {
	acl := filepath.Join(t.TempDir(), "acl")
	if err := os.WriteFile(acl, []byte("topic write ok/#\ntopic read #\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	broker := testenv.Mosquitto(t, testenv.WithMosquittoSettings("acl_file "+acl, queued))
	sub := subscribe(t, broker.Addr, nil)
	s := newTestSink(t, broker.URL())
	msgs := numbered(100)
	var allowed, denied []int
	for i, m := range msgs {
		if i%10 == 3 {
			feed.SetTopic(m, "secret/x")
			denied = append(denied, i)
		} else {
			feed.SetTopic(m, "ok/x")
			allowed = append(allowed, i)
		}
	}
	fs := failures(t, publish(t, s, msgs...))
	if !slices.Equal(indexes(fs), denied) {
		t.Fatalf("failed: %v, want %v", indexes(fs), denied)
	}
	for _, f := range fs {
		var r *ReasonError
		if !errors.As(f.Err, &r) || r.Code != 0x87 || !feed.IsPermanent(f.Err) {
			t.Fatalf("got %v, want a permanent 0x87", f.Err)
		}
	}
	got := sub.wait(len(allowed))
	for i, p := range got {
		if n := atoi(t, p.Payload); n != allowed[i] {
			t.Fatalf("message %d arrived in the place of %d", n, allowed[i])
		}
	}
}

// Where the broker closes the connection after each refusal, and may so lose its
// PUBACK, sending the rest again finds every refused message all the same.
func TestMosquittoClosesAfterRefusal(t *testing.T) {
	acl := filepath.Join(t.TempDir(), "acl")
	if err := os.WriteFile(acl, []byte("topic write ok/#\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	broker := testenv.Mosquitto(t, testenv.WithMosquittoSettings("acl_file "+acl, "max_queued_messages 0"))
	s := newTestSink(t, broker.URL())
	open := numbered(50)
	for i, m := range open {
		feed.SetTopic(m, "ok/x")
		if i%10 == 3 {
			feed.SetTopic(m, "secret/x")
		}
	}
	refused := 0
	for tries := 0; len(open) > 0; tries++ {
		if tries > 20 {
			t.Fatalf("%d messages are still open", len(open))
		}
		err := publish(t, s, open...)
		if err == nil {
			break
		}
		var rest []*message.Message
		for _, f := range failures(t, err) {
			m := open[f.Index]
			if !feed.IsPermanent(f.Err) {
				rest = append(rest, m)
			} else if refused++; feed.Topic(m) != "secret/x" {
				t.Fatalf("an allowed message failed for ever: %v", f.Err)
			}
		}
		open = rest
	}
	if refused != 5 {
		t.Errorf("%d were refused, want 5", refused)
	}
}

func TestMosquittoSizeLimits(t *testing.T) {
	large := numbered(3)
	large[1].Payload = []byte(strings.Repeat("x", 2000))
	for setting, code := range map[string]byte{
		"max_packet_size 1000":    0,    // announced: refused before it is sent
		"message_size_limit 1000": 0x95, // refused by a PUBACK
	} {
		t.Run(setting, func(t *testing.T) {
			broker := testenv.Mosquitto(t, testenv.WithMosquittoSettings(setting, queued))
			s := newTestSink(t, broker.URL())
			fs := failures(t, publish(t, s, large...))
			if !slices.Equal(indexes(fs), []int{1}) || !feed.IsPermanent(fs[0].Err) {
				t.Fatalf("got %v, want 1 to fail for ever", fs)
			}
			var r *ReasonError
			if code == 0 && errors.As(fs[0].Err, &r) || code != 0 && (!errors.As(fs[0].Err, &r) || r.Code != code) {
				t.Fatalf("got %v", fs[0].Err)
			}
		})
	}
}

// A broker that dies in the middle leaves a prefix acknowledged; the rest is
// reported, and sent again to the one that comes back.
func TestMosquittoKilled(t *testing.T) {
	t.Parallel() // it waits most of the time
	broker := testenv.Mosquitto(t)
	sub := subscribe(t, broker.Addr, nil)
	s := newTestSink(t, broker.URL())
	const total = 100_000
	msgs := numbered(total)
	result := make(chan error, 1)
	go func() { result <- s.PublishBatch(context.Background(), feed.NewBatch(msgs...)) }()
	if len(sub.wait(1000)) < 1000 {
		t.Fatal("nothing arrives")
	}
	broker.Kill()
	fs := failures(t, <-result)
	from := fs[0].Index
	if from == 0 || !slices.Equal(indexes(fs), sequence(from, total)) {
		t.Fatalf("%d failures from %d on, want all that follow", len(fs), from)
	}
	for _, f := range fs {
		if feed.IsPermanent(f.Err) || feed.IsConnectionFatal(f.Err) {
			t.Fatalf("not transient: %v", f.Err)
		}
	}
	<-sub.lost
	if err := s.Probe(testContext(t)); err == nil {
		t.Error("the probe of a dead broker succeeds")
	}
	broker.Start()
	again := subscribe(t, broker.Addr, nil)
	if err := publish(t, s, msgs[from:]...); err != nil {
		t.Fatal(err)
	}
	again.expect(t, from, total)
}

// A frozen broker and a half-open connection look alike: nothing comes.
func TestMosquittoFrozen(t *testing.T) {
	t.Parallel() // it waits most of the time
	broker := testenv.Mosquitto(t)
	proxy := testenv.Proxy(t, broker.Addr)
	for name, freeze := range map[string]struct{ on, off func() }{
		"SIGSTOP":      {broker.Pause, broker.Resume},
		"blocked":      {proxy.Block, proxy.Unblock},
		"answers lost": {proxy.BlockReplies, proxy.Unblock},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSink(t, "mqtt://"+proxy.Addr, func(c *Config) {
				c.AckTimeout = time.Second
				c.ConnectTimeout = time.Second
			})
			if err := publish(t, s, numbered(10)...); err != nil {
				t.Fatal(err)
			}
			freeze.on()
			start := time.Now()
			fs := failures(t, publish(t, s, numbered(10)...))
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("it took %v to notice", d)
			}
			if len(fs) != 10 || feed.IsPermanent(fs[0].Err) || feed.IsConnectionFatal(fs[0].Err) {
				t.Fatalf("got %v, want 10 transient failures", fs)
			}
			if err := s.Probe(testContext(t)); err == nil {
				t.Error("the probe succeeds")
			}
			freeze.off()
			// A CONNECT that was held back takes the session over once more, after the first answer.
			testenv.Eventually(t, time.Minute, "the broker to take messages", func() bool {
				return publish(t, s, numbered(10)...) == nil && s.Probe(testContext(t)) == nil
			})
		})
	}
}

func TestMosquittoTLS(t *testing.T) {
	files := testenv.CA(t)
	broker := testenv.Mosquitto(t, testenv.WithMosquittoTLS(files))
	sub := subscribe(t, broker.Addr, files.ClientTLS())
	mutual := TLSConfig{CAFile: files.CAFile, CertFile: files.ClientCertFile, KeyFile: files.ClientKeyFile}
	s := newTestSink(t, broker.URL(), func(c *Config) { c.TLS = mutual })
	msgs := numbered(5000)
	start := time.Now()
	if err := publish(t, s, msgs...); err != nil {
		t.Fatal(err)
	}
	// Milliseconds, unless each acknowledgement costs a rest of the reader: more than a minute.
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("5000 publishes took %v", d)
	}
	sub.expect(t, 0, 5000)

	other := testenv.CA(t)
	for name, bad := range map[string]TLSConfig{
		"no client certificate":  {CAFile: files.CAFile},
		"authority not trusted":  {CAFile: other.CAFile, CertFile: files.ClientCertFile, KeyFile: files.ClientKeyFile},
		"client of another CA":   {CAFile: files.CAFile, CertFile: other.ClientCertFile, KeyFile: other.ClientKeyFile},
		"another server name":    {CAFile: files.CAFile, CertFile: files.ClientCertFile, KeyFile: files.ClientKeyFile, ServerName: "elsewhere"},
		"CA file is missing":     {CAFile: filepath.Join(t.TempDir(), "none"), CertFile: files.ClientCertFile, KeyFile: files.ClientKeyFile},
		"CA file is no PEM":      {CAFile: os.Args[0], CertFile: files.ClientCertFile, KeyFile: files.ClientKeyFile},
		"key of another one":     {CAFile: files.CAFile, CertFile: files.ClientCertFile, KeyFile: other.ClientKeyFile},
		"the system's CAs alone": {CertFile: files.ClientCertFile, KeyFile: files.ClientKeyFile},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSink(t, broker.URL(), func(c *Config) { c.TLS = bad })
			if err := s.Probe(testContext(t)); err == nil {
				t.Error("connected")
			}
		})
	}
}

// A certificate that was renewed counts from the next connect on.
func TestMosquittoCertificateRotation(t *testing.T) {
	files := testenv.CA(t)
	broker := testenv.Mosquitto(t, testenv.WithMosquittoTLS(files))
	other := testenv.CA(t)
	cert, key := filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	use := func(certFile, keyFile string) {
		for from, to := range map[string]string{certFile: cert, keyFile: key} {
			text, err := os.ReadFile(from)
			if err == nil {
				err = os.WriteFile(to, text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	s := newTestSink(t, broker.URL(), func(c *Config) {
		c.TLS = TLSConfig{CAFile: files.CAFile, CertFile: cert, KeyFile: key}
	})
	use(other.ClientCertFile, other.ClientKeyFile)
	if err := s.Probe(testContext(t)); err == nil {
		t.Error("connected with a certificate of another authority")
	}
	use(files.ClientCertFile, files.ClientKeyFile)
	if err := s.Probe(testContext(t)); err != nil {
		t.Error(err)
	}
}

func TestMosquittoPasswordRotation(t *testing.T) {
	dir := t.TempDir()
	passwords := filepath.Join(dir, "passwords")
	if err := os.WriteFile(passwords, []byte(mosquittoPassword("feed", "right")), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := testenv.Mosquitto(t, testenv.WithMosquittoSettings("allow_anonymous false", "password_file "+passwords))
	secret := filepath.Join(dir, "secret")
	write := func(text string) {
		if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong\n")
	s := newTestSink(t, broker.URL(), func(c *Config) {
		c.Username = "feed"
		c.Password = feed.SecretFile(secret)
	})
	err := s.Probe(testContext(t))
	var r *ReasonError
	if !errors.As(err, &r) || r.Packet != "CONNACK" || strings.Contains(err.Error(), "wrong") {
		t.Fatalf("got %v, want a refusal", err)
	}
	write("right\n")
	if err := s.Probe(testContext(t)); err != nil {
		t.Fatal(err)
	}
	withURL := newTestSink(t, strings.Replace(broker.URL(), "//", "//feed:right@", 1))
	if err := withURL.Probe(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

// Two processes with one client id: the later one wins, and the earlier one
// notices and connects again.
func TestMosquittoSessionTakenOver(t *testing.T) {
	broker := testenv.Mosquitto(t)
	one := func(c *Config) { c.ClientID = "one" }
	first, second := newTestSink(t, broker.URL(), one), newTestSink(t, broker.URL(), one)
	if err := errors.Join(first.Probe(testContext(t)), second.Probe(testContext(t))); err != nil {
		t.Fatal(err)
	}
	<-first.conn.done
	if err := first.Probe(testContext(t)); err != nil {
		t.Error(err)
	}
}
