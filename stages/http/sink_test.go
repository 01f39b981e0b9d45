package http

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// receiver is a server that keeps what it gets, unless answer says something
// else than 2xx.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	answer func(w nethttp.ResponseWriter, r *nethttp.Request, body []byte) (handled bool)
	down   bool
	got    []got
}

type got struct {
	body   []byte
	header nethttp.Header
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (v *receiver) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			nethttp.Error(w, err.Error(), 400)
			return
		}
		in = z
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return // the client has left
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.down {
		panic(nethttp.ErrAbortHandler)
	}
	if v.answer != nil && v.answer(w, r, body) {
		return
	}
	v.got = append(v.got, got{body, r.Header})
	w.WriteHeader(nethttp.StatusAccepted)
}

func (v *receiver) setDown(down bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.down = down
}

func (v *receiver) all() []got {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.got)
}

func openSink(t *testing.T, v *receiver, edit func(*SinkConfig)) *Sink {
	t.Helper()
	c := DefaultSinkConfig()
	c.URL = feed.NewURL(v.URL + "/in?key=confidential")
	if edit != nil {
		edit(&c)
	}
	s, err := NewSink(c, feed.StageEnv{Feed: "feed", Route: "route"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSinkConformance(t *testing.T) {
	t.Run("single", func(t *testing.T) {
		feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
			v := newReceiver(t)
			v.answer = refuseMarked
			return feedtest.SinkUnderTest{
				Sink:  openSink(t, v, func(c *SinkConfig) { c.TopicHeader = "X-Topic" }),
				Topic: func(n int) string { return fmt.Sprintf("topic/%d", n) },
				Stored: func(testing.TB, int) []feedtest.Stored {
					var all []feedtest.Stored
					for _, g := range v.all() {
						all = append(all, feedtest.Stored{Topic: g.header.Get("X-Topic"), Payload: g.body})
					}
					return all
				},
				Down:    func(testing.TB) { v.setDown(true) },
				Up:      func(testing.TB) { v.setDown(false) },
				Refused: func() *message.Message { return of("refused") },
			}
		})
	})
}

// refuseMarked answers 422 to what says that it is to be refused.
func refuseMarked(w nethttp.ResponseWriter, _ *nethttp.Request, body []byte) bool {
	if !bytes.Contains(body, []byte("refused")) {
		return false
	}
	nethttp.Error(w, "no\nsuch thing", nethttp.StatusUnprocessableEntity)
	return true
}

func of(payload string) *message.Message {
	return &message.Message{Payload: []byte(payload), Metadata: message.Metadata{feed.MetaTopic: "t"}}
}

func batchOf(payloads ...string) *feed.Batch {
	var msgs []*message.Message
	for _, p := range payloads {
		msgs = append(msgs, of(p))
	}
	return feed.NewBatch(msgs...)
}

// outcomes shows what became of a batch: . done, P permanent, t transient.
func outcomes(n int, err error) string {
	shown := []byte(strings.Repeat(".", n))
	var be *feed.BatchError
	if errors.As(err, &be) {
		for _, f := range be.Failures {
			shown[f.Index] = 't'
			if feed.IsPermanent(f.Err) {
				shown[f.Index] = 'P'
			}
		}
	} else if err != nil {
		return "?"
	}
	return string(shown)
}

func TestBodies(t *testing.T) {
	for _, tt := range []struct {
		body        Body
		want        []string
		contentType string
	}{
		{BodySingle, []string{"{\n\"a\": 1}", "[2]"}, ""},
		{BodyLines, []string{"{\"a\":1}\n[2]\n"}, "application/x-ndjson"},
		{BodyArray, []string{"[{\n\"a\": 1},[2]]"}, "application/json"},
	} {
		for _, compression := range []Compression{CompressionNone, CompressionGzip} {
			v := newReceiver(t)
			s := openSink(t, v, func(c *SinkConfig) {
				c.Body, c.Compression, c.Method = tt.body, compression, "PUT"
				c.Headers = map[string]string{"X-Plant": "one"}
			})
			if err := s.PublishBatch(t.Context(), batchOf("{\n\"a\": 1}", "[2]")); err != nil {
				t.Fatal(err)
			}
			var bodies []string
			for _, g := range v.all() {
				bodies = append(bodies, string(g.body))
				if g.header.Get("Content-Type") != tt.contentType || g.header.Get("X-Plant") != "one" || g.header.Get("Idempotency-Key") == "" {
					t.Errorf("%s: headers %v", tt.body, g.header)
				}
			}
			if !slices.Equal(bodies, tt.want) {
				t.Errorf("%s, %s: %q", tt.body, compression, bodies)
			}
		}
	}
}

// TestTheBadAreFound has any messages of a batch be refused: exactly these fail,
// permanently, and all others arrive in order.
func TestTheBadAreFound(t *testing.T) {
	v := newReceiver(t)
	v.answer = refuseMarked
	s := openSink(t, v, func(c *SinkConfig) { c.Body = BodyLines })
	rapid.Check(t, func(t *rapid.T) {
		v.mu.Lock()
		v.got = nil
		v.mu.Unlock()
		bad := rapid.SliceOfN(rapid.SampledFrom([]string{".", ".", ".", "refused", "{"}), 1, 20).Draw(t, "batch")
		var payloads []string
		want, arrived := "", ""
		for i, b := range bad {
			switch b {
			case ".":
				payloads, want = append(payloads, fmt.Sprint(i)), want+"."
				arrived += fmt.Sprintln(i)
			case "refused":
				payloads, want = append(payloads, `"refused"`), want+"P"
			default:
				payloads, want = append(payloads, "{"), want+"P"
			}
		}
		err := s.PublishBatch(context.Background(), batchOf(payloads...))
		if got := outcomes(len(bad), err); got != want {
			t.Fatalf("%s, want %s: %v", got, want, err)
		}
		got := ""
		for _, g := range v.all() {
			got += string(g.body)
		}
		if got != arrived {
			t.Fatalf("arrived %q, want %q", got, arrived)
		}
	})
}

func TestVerdicts(t *testing.T) {
	for status, want := range map[int]string{
		200: "..", 201: "..", 202: "..", 204: "..",
		301: "tt", 302: "tt", 307: "tt",
		400: "PP", 413: "PP", 415: "PP", 422: "PP", 431: "PP", 451: "PP",
		401: "tt", 403: "tt", 404: "tt", 405: "tt", 407: "tt", 408: "tt", 409: "tt", 410: "tt", 425: "tt", 429: "tt",
		500: "tt", 502: "tt", 503: "tt", 504: "tt", 507: "tt",
	} {
		v := newReceiver(t)
		requests := 0
		v.answer = func(w nethttp.ResponseWriter, _ *nethttp.Request, _ []byte) bool {
			requests++
			w.Header().Set("Location", "https://user:confidential@elsewhere/?key=confidential")
			w.WriteHeader(status)
			return true
		}
		s := openSink(t, v, nil)
		err := s.PublishBatch(t.Context(), batchOf("1", "2"))
		if got := outcomes(2, err); got != want {
			t.Errorf("%d: %s, want %s: %v", status, got, want, err)
		}
		if err != nil && (strings.Contains(err.Error(), "confidential") || !strings.Contains(err.Error(), fmt.Sprint(status))) {
			t.Errorf("%d: %v", status, err)
		}
		if want == "tt" && requests != 1 {
			t.Errorf("%d: %d requests: the second message cannot fare better", status, requests)
		}
	}
}

// A Retry-After is heeded whatever the status: one that would blame the content
// without it passes with time, so that no half of the batch is sent before, and
// no message is given up.
func TestRetryAfter(t *testing.T) {
	for _, status := range []int{nethttp.StatusTooManyRequests, nethttp.StatusServiceUnavailable, nethttp.StatusRequestEntityTooLarge, nethttp.StatusUnprocessableEntity} {
		for _, batch := range [][]string{{"1"}, {"1", "2"}} {
			v := newReceiver(t)
			requests := 0
			v.answer = func(w nethttp.ResponseWriter, _ *nethttp.Request, _ []byte) bool {
				requests++
				w.Header().Set("Retry-After", "999999999")
				w.WriteHeader(status)
				return true
			}
			s := openSink(t, v, func(c *SinkConfig) { c.Body = BodyLines })
			for range 3 {
				err := s.PublishBatch(t.Context(), batchOf(batch...))
				if err == nil || feed.IsPermanent(err) {
					t.Fatalf("%d: got %v", status, err)
				}
			}
			if err := s.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "pause") {
				t.Errorf("%d: probe: %v", status, err)
			}
			if left := time.Until(s.notBefore); left > longestRetryAfter || left < longestRetryAfter/2 {
				t.Errorf("%d: a pause of %v", status, left)
			}
			if requests != 1 || s.Events()[eventPause] != 1 {
				t.Errorf("%d: %d requests in spite of Retry-After; events %v", status, requests, s.Events())
			}
		}
	}
}

// TestIdempotencyKeys says when two requests have the same key: when the same
// batch is sent again, and never otherwise.
func TestIdempotencyKeys(t *testing.T) {
	v := newReceiver(t)
	s := openSink(t, v, nil)
	same := batchOf("x", "x", "y")
	later := &feed.Batch{Messages: same.Messages, Received: same.Received.Add(time.Nanosecond)}
	shorter := &feed.Batch{Messages: same.Messages[1:], Received: same.Received}
	for _, b := range []*feed.Batch{same, same, later, shorter} {
		if err := s.PublishBatch(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	for _, g := range v.all() {
		keys = append(keys, g.header.Get("Idempotency-Key"))
	}
	if !slices.Equal(keys[0:3], keys[3:6]) {
		t.Errorf("sent again the keys are others: %v", keys)
	}
	distinct := slices.Clone(append(keys[0:3:3], keys[6:]...))
	slices.Sort(distinct)
	if n := len(slices.Compact(distinct)); n != 8 {
		t.Errorf("%d of 8 requests can be told apart", n)
	}
}

func TestCredentials(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v := newReceiver(t)
	bearer := openSink(t, v, func(c *SinkConfig) { c.BearerToken = feed.SecretFile(token) })
	basic := openSink(t, v, func(c *SinkConfig) { c.Username, c.Password = "u", feed.NewSecret("p") })
	write("one\n")
	publish := func(s *Sink) {
		t.Helper()
		if err := s.PublishBatch(t.Context(), batchOf("1")); err != nil {
			t.Fatal(err)
		}
	}
	publish(bearer)
	write("two")
	publish(bearer)
	publish(basic)
	var sent []string
	for _, g := range v.all() {
		sent = append(sent, g.header.Get("Authorization"))
	}
	if !slices.Equal(sent, []string{"Bearer one", "Bearer two", "Basic dTpw"}) {
		t.Errorf("sent %q", sent)
	}
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	if err := bearer.PublishBatch(t.Context(), batchOf("1")); err == nil || feed.IsPermanent(err) || !strings.Contains(err.Error(), "bearerToken") {
		t.Errorf("without the file: %v", err)
	}
}

func TestProbe(t *testing.T) {
	for status, up := range map[int]bool{200: true, 405: true, 404: true, 501: false, 503: false, 401: false, 429: false} {
		v := newReceiver(t)
		v.answer = func(w nethttp.ResponseWriter, r *nethttp.Request, _ []byte) bool {
			if r.Method != nethttp.MethodHead {
				t.Errorf("probed with %s", r.Method)
			}
			w.WriteHeader(status)
			return true
		}
		if err := openSink(t, v, nil).Probe(t.Context()); (err == nil) != up {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestErrorsHideTheURL has a connection fail: the query may be a credential.
func TestErrorsHideTheURL(t *testing.T) {
	v := newReceiver(t)
	v.setDown(true)
	err := openSink(t, v, nil).PublishBatch(t.Context(), batchOf("1"))
	if err == nil || strings.Contains(err.Error(), "confidential") {
		t.Errorf("got %v", err)
	}
}

func TestSinkConfigRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*SinkConfig)
		key  string
	}{
		"no url":          {func(c *SinkConfig) { c.URL = feed.URL{} }, "url"},
		"scheme":          {func(c *SinkConfig) { c.URL = feed.NewURL("ftp://host/") }, "url"},
		"user":            {func(c *SinkConfig) { c.URL = feed.NewURL("https://u:p@host/") }, "url"},
		"method":          {func(c *SinkConfig) { c.Method = "GET" }, "method"},
		"body":            {func(c *SinkConfig) { c.Body = "xml" }, "body"},
		"compression":     {func(c *SinkConfig) { c.Compression = "br" }, "compression"},
		"header name":     {func(c *SinkConfig) { c.Headers = map[string]string{"X Plant": "1"} }, `headers["X Plant"]`},
		"header value":    {func(c *SinkConfig) { c.Headers = map[string]string{"X-Plant": "1\n"} }, `headers["X-Plant"]`},
		"own header":      {func(c *SinkConfig) { c.Headers = map[string]string{"content-type": "x"} }, `headers["content-type"]`},
		"topic header":    {func(c *SinkConfig) { c.TopicHeader = "Host" }, "topicHeader"},
		"topic of many":   {func(c *SinkConfig) { c.TopicHeader, c.Body = "X-Topic", BodyLines }, "topicHeader"},
		"two credentials": {func(c *SinkConfig) { c.Username, c.BearerToken = "u", feed.NewSecret("t") }, "bearerToken"},
		"no user":         {func(c *SinkConfig) { c.Password = feed.NewSecret("p") }, "username"},
		"no key":          {func(c *SinkConfig) { c.TLS.CertFile = "c" }, "tls"},
		"no TLS":          {func(c *SinkConfig) { c.URL, c.TLS.CAFile = feed.NewURL("http://host/"), "ca" }, "tls"},
		"timeout":         {func(c *SinkConfig) { c.Timeout = 0 }, "timeout"},
	} {
		c := DefaultSinkConfig()
		c.URL = feed.NewURL("https://host/path")
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		tt.edit(&c)
		var ce *feed.ConfigError
		if err := c.Validate(); !errors.As(err, &ce) || ce.Key != tt.key || ce.Remedy == "" {
			t.Errorf("%s: %v, want an error of %s", name, err, tt.key)
		}
	}
}

// TestSourceAndSinkTogether sends through both, with TLS and certificates on
// both sides.
func TestSourceAndSinkTogether(t *testing.T) {
	files := testenv.CA(t)
	source := openSource(t, func(c *SourceConfig) {
		c.Split = SplitArray
		c.TLS = ServerTLS{CertFile: files.ServerCertFile, KeyFile: files.ServerKeyFile, ClientCAFile: files.CAFile}
	})
	sub := subscribe(t, source)
	sink := func(own ClientTLS) *Sink {
		c := DefaultSinkConfig()
		c.URL, c.Body, c.TLS = feed.NewURL("https://"+source.server.address()+"/"), BodyArray, own
		s, err := NewSink(c, feed.StageEnv{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	if err := sink(ClientTLS{CAFile: files.CAFile}).PublishBatch(t.Context(), batchOf("1")); err == nil || feed.IsPermanent(err) {
		t.Errorf("without a certificate: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		done <- sink(ClientTLS{CAFile: files.CAFile, CertFile: files.ClientCertFile, KeyFile: files.ClientKeyFile}).PublishBatch(context.Background(), batchOf("1", `{"a":2}`))
	}()
	ds := receive(t, sub, 2)
	if !json.Valid(ds[1].Message.Payload) || string(ds[0].Message.Payload) != "1" {
		t.Errorf("got %s, %s", ds[0].Message.Payload, ds[1].Message.Payload)
	}
	for _, d := range ds {
		settle(t, sub, d, feed.Delivered)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
