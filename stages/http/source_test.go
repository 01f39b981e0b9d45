package http

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	nethttp "net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/kraft-edge/datafeed/feed"
)

// answered is what a client got.
type answered struct {
	status int
	text   string
	header nethttp.Header
	err    error
}

func (a answered) counts(t *testing.T) ended {
	t.Helper()
	if a.status != nethttp.StatusOK || a.err != nil {
		t.Fatalf("answer %d %q, %v", a.status, a.text, a.err)
	}
	var e ended
	if err := json.Unmarshal([]byte(a.text), &e); err != nil {
		t.Fatalf("%v in %s", err, a.text)
	}
	return e
}

// send starts a request.
func send(t *testing.T, method, url string, body io.Reader, headers ...string) <-chan answered {
	t.Helper()
	return sendUntil(t.Context(), t, method, url, body, headers...)
}

func sendUntil(ctx context.Context, t *testing.T, method, url string, body io.Reader, headers ...string) <-chan answered {
	t.Helper()
	req, err := nethttp.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	result := make(chan answered, 1)
	go func() {
		client := nethttp.Client{Transport: &nethttp.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			result <- answered{err: err}
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		result <- answered{resp.StatusCode, strings.TrimSpace(string(text)), resp.Header, err}
	}()
	return result
}

func subscribe(t *testing.T, s *Source) feed.Subscription {
	t.Helper()
	sub, err := s.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Close() })
	return sub
}

func receive(t *testing.T, sub feed.Subscription, n int) []feed.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var ds []feed.Delivery
	for len(ds) < n {
		var err error
		if ds, err = sub.Receive(ctx, ds, n-len(ds)); err != nil {
			t.Fatalf("got %d of %d, then %v", len(ds), n, err)
		}
	}
	return ds
}

func settle(t *testing.T, sub feed.Subscription, d feed.Delivery, o feed.Outcome) {
	t.Helper()
	if err := sub.Settle(t.Context(), []feed.Settlement{{Tag: d.Tag, Outcome: o}}); err != nil {
		t.Fatal(err)
	}
}

// TestTheAnswerComesWhenAllHasEnded says so and counts the outcomes.
func TestTheAnswerComesWhenAllHasEnded(t *testing.T) {
	s := openSource(t, func(c *SourceConfig) { c.Split = SplitLines })
	sub := subscribe(t, s)
	got := send(t, "POST", address(s), strings.NewReader("{\"n\":1}\n\n [2] \r\n\"3\""))
	ds := receive(t, sub, 3)
	for i, want := range []string{`{"n":1}`, "[2]", `"3"`} {
		if string(ds[i].Message.Payload) != want {
			t.Errorf("message %d is %s", i, ds[i].Message.Payload)
		}
	}
	settle(t, sub, ds[1], feed.Quarantined)
	settle(t, sub, ds[0], feed.Delivered)
	select {
	case a := <-got:
		t.Fatalf("answered before all has ended: %+v", a)
	default:
	}
	settle(t, sub, ds[2], feed.Filtered)
	if e := (<-got).counts(t); e != (ended{1, 1, 1}) {
		t.Errorf("got %+v", e)
	}
	if n := s.backlog.left(); n != 0 {
		t.Errorf("%d are pending", n)
	}
}

func TestSourceMetadata(t *testing.T) {
	s := openSource(t, func(c *SourceConfig) {
		c.Path, c.Topic, c.Headers = "/telemetry/", "other", []string{"X-Line", "X-Absent"}
	})
	sub := subscribe(t, s)
	for path, topic := range map[string]string{"": "other", "plant1/line2": "plant1/line2"} {
		got := send(t, "PUT", address(s)+path, strings.NewReader("on"), "X-Line", "7", "X-Other", "no", "Content-Type", "text/plain")
		d := receive(t, sub, 1)[0]
		md := d.Message.Metadata
		if feed.Topic(d.Message) != topic || md["x-line"] != "7" || md[feed.MetaContentType] != "text/plain" || len(md) != 3 {
			t.Errorf("metadata %v", md)
		}
		original, err := sub.(feed.Describer).Describe(d.Tag)
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			Method, Path, Remote string
			Headers              map[string]string
		}
		if err := json.Unmarshal(original.Properties, &p); err != nil || p.Method != "PUT" || p.Path != "/telemetry/"+path || p.Remote == "" || p.Headers["x-line"] != "7" {
			t.Errorf("described as %s, %v", original.Properties, err)
		}
		if m, err := Restore(original); err != nil || string(m.Payload) != "on" || !maps.Equal(m.Metadata, md) {
			t.Errorf("restored %v, error %v, want %v", m, err, md)
		}
		settle(t, sub, d, feed.Delivered)
		(<-got).counts(t)
	}
}

func TestSourceRefuses(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	edit := func(c *SourceConfig) {
		c.Path, c.Split, c.MaxBodyBytes, c.MaxPending = "/in", SplitArray, 100, 3
		c.BearerToken = feed.SecretFile(token)
	}
	s := openSource(t, edit)
	subscribe(t, s)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	const bearer = "Bearer first"
	for _, tt := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		text                     string
	}{
		{"another path", "POST", "/inn", "[]", []string{"Authorization", bearer}, 404, "no messages"},
		{"another method", "GET", "/in", "", []string{"Authorization", bearer}, 405, "POST or PUT"},
		{"no token", "POST", "/in", "[]", nil, 401, "token"},
		{"another token", "POST", "/in", "[]", []string{"Authorization", "Bearer second"}, 401, "token"},
		{"basic", "POST", "/in", "[]", []string{"Authorization", "Basic first"}, 401, "token"},
		{"too large", "POST", "/in", strings.Repeat(" ", 101), []string{"Authorization", bearer}, 413, "100 bytes"},
		{"a bomb", "POST", "/in", bomb.String(), []string{"Authorization", bearer, "Content-Encoding", "gzip"}, 413, "100 bytes"},
		{"no gzip", "POST", "/in", "[]", []string{"Authorization", bearer, "Content-Encoding", "gzip"}, 400, "read the body"},
		{"an encoding", "POST", "/in", "[]", []string{"Authorization", bearer, "Content-Encoding", "br"}, 415, `"br"`},
		{"no JSON", "POST", "/in", "[1,", []string{"Authorization", bearer}, 400, "JSON"},
		{"no array", "POST", "/in", "{}", []string{"Authorization", bearer}, 400, "array"},
		{"too many", "POST", "/in", "[1,2,3,4]", []string{"Authorization", bearer}, 413, "3 messages"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := <-send(t, tt.method, "http://"+s.server.address()+tt.path, strings.NewReader(tt.body), tt.headers...)
			if a.err != nil || a.status != tt.status || !strings.Contains(a.text, tt.text) {
				t.Errorf("answer %d %q, %v; want %d", a.status, a.text, a.err, tt.status)
			}
			if n := s.backlog.left(); n != 0 {
				t.Errorf("%d are pending", n)
			}
			allFree(t, s)
		})
	}
	if e := s.Events(); e[eventUnauthorized] != 3 || e[eventInvalid] != 9 || e[eventSentAway] != 0 {
		t.Errorf("events %v", e)
	}
	// An empty array is nothing to wait for; a rotated token counts at once.
	if err := os.WriteFile(token, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := <-send(t, "POST", "http://"+s.server.address()+"/in", strings.NewReader("[]"), "Authorization", "Bearer second")
	if e := a.counts(t); e != (ended{}) {
		t.Errorf("got %+v", e)
	}
}

func TestSourceDecompresses(t *testing.T) {
	s := openSource(t, func(c *SourceConfig) { c.Split = SplitArray })
	sub := subscribe(t, s)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprint(z, `[ {"a": 1}, 2 ]`)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close() //nolint:errcheck // nothing was written to it
	for encoding, body := range map[string][]byte{"gzip": zipped.Bytes(), "zstd": e.EncodeAll([]byte(`[{"a": 1},2]`), nil)} {
		got := send(t, "POST", address(s), bytes.NewReader(body), "Content-Encoding", encoding)
		ds := receive(t, sub, 2)
		if string(ds[0].Message.Payload) != `{"a": 1}` || string(ds[1].Message.Payload) != "2" {
			t.Errorf("%s: %s, %s", encoding, ds[0].Message.Payload, ds[1].Message.Payload)
		}
		settle(t, sub, ds[0], feed.Delivered)
		settle(t, sub, ds[1], feed.Delivered)
		(<-got).counts(t)
	}
}

// TestAFullSourceAnswersAtOnce has the limits of messages and bytes refuse.
func TestAFullSourceAnswersAtOnce(t *testing.T) {
	s := openSource(t, func(c *SourceConfig) { c.MaxPending, c.MaxBodyBytes = 1, 1000 })
	sub := subscribe(t, s)
	large := strings.Repeat("x", 1000)
	others := int64(s.config.MaxPendingBytes) - 2000
	if !s.server.bytes.TryAcquire(others) {
		t.Fatal("no room for the others")
	}
	defer s.server.bytes.Release(others)
	first := send(t, "POST", address(s), strings.NewReader(large))
	d := receive(t, sub, 1)[0]
	for body, text := range map[string]string{"x": "messages", large: "bytes"} {
		a := <-send(t, "POST", address(s), strings.NewReader(body))
		if a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.text, text) {
			t.Errorf("%s: %+v", body, a)
		}
	}
	if n := s.Events()[eventSentAway]; n != 2 {
		t.Errorf("%d are counted as sent away", n)
	}
	settle(t, sub, d, feed.Delivered)
	(<-first).counts(t)
	second := send(t, "POST", address(s), strings.NewReader(large))
	settle(t, sub, receive(t, sub, 1)[0], feed.Delivered)
	(<-second).counts(t)
}

// TestNobodyWaits has a request time out, a client leave, and the source close:
// what was handed out goes on, and what was not is forgotten.
func TestNobodyWaits(t *testing.T) {
	t.Run("timeout", func(t *testing.T) {
		s := openSource(t, func(c *SourceConfig) { c.Split, c.Timeout = SplitLines, 50*time.Millisecond })
		sub := subscribe(t, s)
		got := send(t, "POST", address(s), strings.NewReader("1\n2\n"))
		d := receive(t, sub, 1)[0]
		if a := <-got; a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.text, "feed status") {
			t.Errorf("got %+v", a)
		}
		if n := s.backlog.left(); n != 1 {
			t.Errorf("%d are pending, want the one that was handed out", n)
		}
		settle(t, sub, d, feed.Delivered)
		if n := s.backlog.left(); n != 0 {
			t.Errorf("%d are pending", n)
		}
	})
	t.Run("client leaves", func(t *testing.T) {
		s := openSource(t, nil)
		sub := subscribe(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		got := sendUntil(ctx, t, "POST", address(s), strings.NewReader("x"))
		receive(t, sub, 1)
		cancel()
		if a := <-got; !errors.Is(a.err, context.Canceled) {
			t.Errorf("got %+v", a)
		}
		awaitDropped(t, s)
		if err := sub.Close(); err != nil { // given back, and nobody waits for it
			t.Fatal(err)
		}
		if n := s.backlog.left(); n != 0 {
			t.Errorf("%d are pending", n)
		}
	})
	t.Run("close", func(t *testing.T) {
		s := openSource(t, nil)
		sub := subscribe(t, s)
		got := send(t, "POST", address(s), strings.NewReader("x"))
		receive(t, sub, 1)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if a := <-got; a.status != 503 || !strings.Contains(a.text, "stops") {
			t.Errorf("got %+v", a)
		}
		if n := s.backlog.left(); n != 0 {
			t.Errorf("%d are pending", n)
		}
		if _, err := s.SubscribeBatch(t.Context(), ""); !errors.Is(err, ErrClosed) {
			t.Errorf("subscribe after close: %v", err)
		}
	})
}

// awaitDropped waits until the server has seen that the client of what was
// handed out has left.
func awaitDropped(t *testing.T, s *Source) {
	t.Helper()
	patience := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		s.current.mu.Lock()
		it := s.current.out[0]
		s.current.mu.Unlock()
		s.backlog.mu.Lock()
		dropped := it.request.dropped
		s.backlog.mu.Unlock()
		if dropped {
			return
		}
		select {
		case <-tick.C:
		case <-patience:
			t.Fatal("the server does not see that its client has left")
		}
	}
}

// allFree checks that nothing is reserved.
func allFree(t *testing.T, s *Source) {
	t.Helper()
	all := int64(s.config.MaxPendingBytes)
	if !s.server.bytes.TryAcquire(all) {
		t.Fatal("bytes of a request that has ended are still counted")
	}
	s.server.bytes.Release(all)
}

func TestSourceConfigRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*SourceConfig)
		key  string
	}{
		"no address":    {func(c *SourceConfig) { c.Listen = "" }, "listen"},
		"no port":       {func(c *SourceConfig) { c.Listen = "localhost" }, "listen"},
		"open to all":   {func(c *SourceConfig) { c.Listen = ":8080" }, "bearerToken"},
		"contradiction": {func(c *SourceConfig) { c.Anonymous, c.BearerToken = true, feed.NewSecret("x") }, "anonymous"},
		"path":          {func(c *SourceConfig) { c.Path = "in" }, "path"},
		"key alone":     {func(c *SourceConfig) { c.TLS.KeyFile = "k" }, "tls"},
		"client CA":     {func(c *SourceConfig) { c.TLS.ClientCAFile = "ca" }, "tls.clientCAFile"},
		"split":         {func(c *SourceConfig) { c.Split = "words" }, "split"},
		"header":        {func(c *SourceConfig) { c.Headers = []string{"X Line"} }, "headers[0]"},
		"reserved":      {func(c *SourceConfig) { c.Headers = []string{"X-Line", "Topic"} }, "headers[1]"},
		"credential":    {func(c *SourceConfig) { c.Headers = []string{"authorization"} }, "headers[0]"},
		"body":          {func(c *SourceConfig) { c.MaxBodyBytes = 0 }, "maxBodyBytes"},
		"pending bytes": {func(c *SourceConfig) { c.MaxPendingBytes = 1 }, "maxPendingBytes"},
		"a decoder":     {func(c *SourceConfig) { c.MaxBodyBytes, c.MaxPendingBytes = feed.MiB, 4*feed.MiB }, "maxPendingBytes"},
		"many messages": {func(c *SourceConfig) { c.Split, c.MaxPending = SplitLines, 1_000_000 }, "maxPendingBytes"},
		"pending":       {func(c *SourceConfig) { c.MaxPending = 0 }, "maxPending"},
		"timeout":       {func(c *SourceConfig) { c.Timeout = 0 }, "timeout"},
	} {
		c := DefaultSourceConfig()
		c.Listen = "127.0.0.1:0"
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
