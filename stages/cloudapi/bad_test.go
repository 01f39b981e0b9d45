package cloudapi

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

func withPath(c *Config, path string) feed.URL {
	u, err := c.URL.Parse()
	if err != nil {
		panic(err)
	}
	return feed.NewURL(u.JoinPath(path).String())
}

// checkPermanent demands an error that no retry can mend, with a text.
func checkPermanent(t *testing.T, what string, err error, want string) {
	t.Helper()
	checkShows(t, what, err, want)
	if !feed.IsPermanent(err) {
		t.Errorf("%s: %v is not permanent", what, err)
	}
}

// bad is an API that gives a token to anybody, and answers to the n-th request for
// readings, from 0 on, as it is told.
type bad struct {
	*httptest.Server
	requests atomic.Int64
}

func startBad(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int)) *bad {
	b := &bad{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth2/token" {
			fmt.Fprint(w, `{"access_token":"token","token_type":"Bearer","expires_in":300}`)
			return
		}
		answer(w, r, int(b.requests.Add(1))-1)
	}))
	t.Cleanup(b.Close)
	return b
}

// pageOf writes a page.
func pageOf(next string, rs ...reading.Reading) string {
	texts := make([]string, len(rs))
	for i := range rs {
		texts[i] = string(rs[i].AppendJSON(nil))
	}
	if next != "null" {
		next = fmt.Sprintf("%q", next)
	}
	return fmt.Sprintf(`{"readings":[%s],"next":%s,"watermark":null}`, strings.Join(texts, ","), next)
}

func openAlone(t *testing.T, address string) *Expectation {
	c := configOf(address)
	c.Parallel, c.Patience, c.Timeout = 1, 300*time.Millisecond, 5*time.Second
	return openExpectation(t, c)
}

// TestGarbage: an answer that is no page is an error that shows what came, at
// once.
func TestGarbage(t *testing.T) {
	r := string(seconds("press7", 1)[0].AppendJSON(nil))
	for body, want := range map[string]string{
		"":                                      "0 bytes",
		"<html><title>Sign in</title></html>":   "Sign in",
		`[]`:                                    `"[]"`,
		`null`:                                  "null",
		`{}`:                                    "{}",
		`{"readings":[]}`:                       "readings",
		`{"next":null}`:                         "next",
		`{"readings":null,"next":null}`:         "readings",
		`{"readings":{},"next":null}`:           "readings",
		`{"readings":[],"next":0}`:              "next",
		`{"readings":[],"next":""}`:             "next",
		`{"readings":[],"next":{}}`:             "next",
		`{"readings":[],"next":null} trailing`:  "trailing",
		`{"readings":[],"next":null,}`:          "next",
		`{"readings":[` + r + `,],"next":null}`: "press7",
		`{"readings":[` + r:                     "press7",
		`{"readings":[],"readings":[` + r + `],"next":null}`: "readings",
		`{"readings":[],"next":null,"next":"a"}`:             "next",
		"{\"readings\":[],\"next\":\"\xff\"}":                "next",
	} {
		b := startBad(t, func(w http.ResponseWriter, _ *http.Request, _ int) { io.WriteString(w, body) })
		rs, err := all(t, openAlone(t, b.URL), day)
		checkPermanent(t, body, err, want)
		if len(rs) > 0 || b.requests.Load() != 1 {
			t.Errorf("%s: %d readings after %d requests", body, len(rs), b.requests.Load())
		}
		if !errors.Is(err, errGarbage) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for body, want := range map[string]string{"": "0 bytes", "<html>": "<html>", "{}": "{}", `{"watermark":7}`: "7", `{"watermark":"yesterday"}`: "yesterday"} {
		b := startBad(t, func(w http.ResponseWriter, _ *http.Request, _ int) { io.WriteString(w, body) })
		_, err := openAlone(t, b.URL).Watermark(t.Context())
		checkPermanent(t, body, err, want)
	}
}

// TestUnreadable: a single reading that is none does not hide the others.
func TestUnreadable(t *testing.T) {
	rs := seconds("press7", 2)
	first, second := string(rs[0].AppendJSON(nil)), string(rs[1].AppendJSON(nil))
	for _, element := range []string{`7`, `null`, `"text"`, `[]`, `{}`, strings.Replace(second, `"seq":1`, `"seq":"1"`, 1), strings.Replace(second, `press7`, ``, 1)} {
		b := startBad(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			fmt.Fprintf(w, `{"readings":[%s,%s,%s],"next":null}`, first, element, second)
		})
		var got validate.Page
		if err := openAlone(t, b.URL).Read(t.Context(), day, func(p validate.Page) error {
			got.Records = append(got.Records, p.Records...)
			got.Unreadable = append(got.Unreadable, p.Unreadable...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(got.Records) != 2 || got.Records[0].Place.Position != 1 || got.Records[1].Place.Position != 3 {
			t.Errorf("%s: readings %+v", element, got.Records)
		}
		if len(got.Unreadable) != 1 || got.Unreadable[0].Place.Position != 2 || got.Unreadable[0].Err == nil {
			t.Errorf("%s: unreadable %+v", element, got.Unreadable)
		} else if u := got.Unreadable[0]; !u.From.Equal(rs[0].At()) || !u.To.Equal(day.To) {
			t.Errorf("%s: unreadable from %v to %v", element, u.From, u.To)
		}
	}
}

// TestPagesThatLeadNowhere: an API that tells the same for ever, or something
// else than it was asked for, is an error.
func TestPagesThatLeadNowhere(t *testing.T) {
	rs := seconds("press7", 10)
	other := seconds("press8", 1)[0]
	early := rs[0]
	early.Time = day.From.UnixNano() - 1
	late := rs[0]
	late.Time = day.To.UnixNano()
	q := day
	q.Device, q.Tag = "press7", "tag0"
	rs = []reading.Reading{rs[0], rs[3], rs[6], rs[9]}
	for name, tt := range map[string]struct {
		page func(n int) string
		want string
	}{
		"same cursor":    {func(n int) string { return pageOf("a", rs[min(n, 3)]) }, "same cursor"},
		"cycle":          {func(n int) string { return pageOf([]string{"a", "b"}[n%2], rs[n%2]) }, "do not go forward"},
		"page again":     {func(n int) string { return pageOf(fmt.Sprint("c", n), rs[:2]...) }, "do not go forward"},
		"goes back":      {func(n int) string { return pageOf(fmt.Sprint("c", n), rs[3-n]) }, "do not go forward"},
		"not in order":   {func(int) string { return pageOf("null", rs[1], rs[0]) }, "do not go forward"},
		"empty for ever": {func(n int) string { return pageOf(fmt.Sprint("c", n)) }, "no further"},
		"same for ever":  {func(n int) string { return pageOf(fmt.Sprint("c", n), rs[0]) }, "no further"},
		"none readable":  {func(n int) string { return fmt.Sprintf(`{"readings":[7],"next":"%d"}`, n) }, "no further"},
		"other device":   {func(int) string { return pageOf("null", other) }, "not asked for"},
		"other tag":      {func(int) string { return pageOf("null", seconds("press7", 2)[1]) }, "not asked for"},
		"too early":      {func(int) string { return pageOf("null", early) }, "not asked for"},
		"too late":       {func(int) string { return pageOf("null", late) }, "not asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBad(t, func(w http.ResponseWriter, _ *http.Request, n int) { io.WriteString(w, tt.page(n)) })
			err := openAlone(t, b.URL).Read(t.Context(), q, func(validate.Page) error { return nil })
			checkPermanent(t, name, err, tt.want)
			if n := b.requests.Load(); n > maxIdle+2 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestEmptyPagesAreNoEnd: there may be more behind them.
func TestEmptyPagesAreNoEnd(t *testing.T) {
	rs := seconds("press7", 3)
	b := startBad(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if want := map[bool]string{false: fmt.Sprint("c", n-1)}[n == 0]; r.URL.Query().Get("cursor") != want {
			t.Errorf("request %d has the cursor %s", n, r.URL.Query().Get("cursor"))
		}
		switch next := fmt.Sprint("c", n); {
		case n == 2*maxIdle:
			io.WriteString(w, pageOf("null", rs[2]))
		case n == maxIdle:
			io.WriteString(w, pageOf(next, rs[0], rs[1]))
		default:
			io.WriteString(w, pageOf(next))
		}
	})
	if got, err := all(t, openAlone(t, b.URL), day); err != nil || len(got) != 3 {
		t.Errorf("%d readings, %v", len(got), err)
	}
}

// TestRefusals: an answer that will not change is an error at once, with a remedy
// and with what the API says.
func TestRefusals(t *testing.T) {
	for status, want := range map[int]string{
		204: "204", 206: "206", 301: "https://elsewhere.example/v1", 302: "not followed", 307: "307", 400: "docs/cloud-api.md", 401: "oauth2.tokenUrl", 403: "oauth2.scopes",
		404: "check url", 405: "405", 410: "check url", 501: "501",
	} {
		requests := 0
		b := startBad(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			requests++
			w.Header().Set("Location", "https://elsewhere.example/v1?key=canary")
			w.WriteHeader(status)
			if status != 204 {
				io.WriteString(w, `{"detail":"the reason"}`)
			}
		})
		_, err := all(t, openAlone(t, b.URL), day)
		checkPermanent(t, fmt.Sprint(status), err, want)
		if status != 204 {
			checkShows(t, fmt.Sprint(status), err, "the reason")
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%d: %v shows a query", status, err)
		}
		if want := map[bool]int{true: 2, false: 1}[status == 401]; requests != want {
			t.Errorf("%d: %d requests, want %d", status, requests, want)
		}
	}
}

// TestTokenStaysHere: a redirect does not carry it away.
func TestTokenStaysHere(t *testing.T) {
	visited := atomic.Int64{}
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited.Add(1) }))
	defer thief.Close()
	b := startBad(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		http.Redirect(w, r, thief.URL, http.StatusFound)
	})
	if _, err := all(t, openAlone(t, b.URL), day); err == nil || visited.Load() != 0 {
		t.Errorf("%d visits, %v", visited.Load(), err)
	}
}

// TestBrokenAnswers: a page that ends early is asked for again, and what came of
// it does not count.
func TestBrokenAnswers(t *testing.T) {
	rs := seconds("press7", 4)
	b := startBad(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		body := pageOf("null", rs[2:]...)
		if n < 4 {
			body = pageOf("more", rs[:2]...)
		}
		switch n {
		case 0: // half of it, and the connection ends
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			io.WriteString(w, body[:len(body)/2])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case 1: // no length, and the connection ends behind a whole reading
			io.WriteString(w, body[:len(body)-20])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case 2:
			panic(http.ErrAbortHandler)
		default:
			io.WriteString(w, body)
		}
	})
	c := configOf(b.URL)
	c.Parallel, c.Patience = 1, 10*time.Second
	e := openExpectation(t, c)
	if got, err := all(t, e, day); err != nil || fmt.Sprint(got) != fmt.Sprint(rs) {
		t.Errorf("%d readings, %v", len(got), err)
	}
	if costs := e.Costs(); costs.Requests != 5 || costs.Retries != 3 || costs.Readings != 4 {
		t.Errorf("costs %+v", costs)
	}
}

// TestEndlessAnswer: a body that does not end is given up.
func TestEndlessAnswer(t *testing.T) {
	b := startBad(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 2 * maxBody / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	c := configOf(b.URL)
	c.Parallel, c.Timeout = 1, 2*time.Minute // 64 MiB take their time on a machine that is busy
	_, err := all(t, openExpectation(t, c), day)
	checkPermanent(t, "endless", err, fmt.Sprint(maxBody))
}

// TestSilence: each request has its deadline.
func TestSilence(t *testing.T) {
	release := make(chan struct{})
	b := startBad(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 1 { // a head and no body
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
		}
		<-release
	})
	defer close(release)
	c := configOf(b.URL)
	c.Parallel, c.Timeout, c.Patience = 1, 50*time.Millisecond, 400*time.Millisecond
	_, err := all(t, openExpectation(t, c), day)
	checkShows(t, "silence", err, "patience")
	if feed.IsPermanent(err) || b.requests.Load() < 2 {
		t.Errorf("%d requests: %v", b.requests.Load(), err)
	}
}

// TestUntrusted: who has no certificate that is trusted gets no request.
func TestUntrusted(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request has come") }))
	defer server.Close()
	server.Config.ErrorLog = nil
	_, err := all(t, openAlone(t, server.URL), day)
	checkPermanent(t, "untrusted", err, "tls.caFile")
}

// TestWrongNames: a name that nobody has, or of which the server knows nothing, ends it at
// once, however long patience is; a name server that does not answer passes.
func TestWrongNames(t *testing.T) {
	trust := filepath.Join(t.TempDir(), "ca.pem")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request has come") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	if err := os.WriteFile(trust, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	port := server.Listener.Addr().(*net.TCPAddr).Port
	c := configOf(fmt.Sprintf("https://localhost:%d", port)) // which its certificate does not have
	c.TLS.CAFile, c.Patience = trust, time.Hour
	_, err := openExpectation(t, c).Watermark(t.Context())
	checkPermanent(t, "another name in the certificate", err, "localhost")

	refusing := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request has come") }))
	refusing.Config.ErrorLog = server.Config.ErrorLog
	refusing.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return &tls.Config{}, nil }} // without certificates
	refusing.StartTLS()
	defer refusing.Close()
	c.URL = feed.NewURL(fmt.Sprintf("https://localhost:%d", refusing.Listener.Addr().(*net.TCPAddr).Port))
	_, err = openExpectation(t, c).Watermark(t.Context())
	checkPermanent(t, "a name that the server does not know", err, "(the server does not know the name in url of cloudapi: check it)")

	for name, tt := range map[string]struct {
		err  error
		want string // "": it may pass
	}{
		"nobody has it":        {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "api.example", IsNotFound: true}}, "no such host (check the name in url of cloudapi"},
		"the server is broken": {&net.OpError{Op: "remote error", Err: errors.New("tls: internal error")}, ""},
		"name server is down":  {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", Name: "api.example", IsTemporary: true}}, ""},
	} {
		err := lost(fmt.Errorf("get: %w", tt.err), "url")
		var f *failure
		if !errors.As(err, &f) || f.passes != (tt.want == "") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, may pass: %v", name, err, f.passes)
		}
	}
}

// TestWrongAddress: the error names the key that says so, and the address that was
// asked for a token.
func TestWrongAddress(t *testing.T) {
	notFound := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(notFound.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	plain := "https" + strings.TrimPrefix(notFound.URL, "http")
	api := startBad(t, func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, pageOf("null")) })
	for name, tt := range map[string]struct {
		url, token string
		permanent  bool
		want       []string
	}{
		"another path":       {url: notFound.URL, permanent: true, want: []string{"get a token from " + notFound.URL + "/oauth2/token (url): answered 404", "check url of cloudapi, to which /oauth2/token is added"}},
		"another token path": {url: api.URL, token: api.URL + "/oauth2/token/of/others", permanent: true, want: []string{"get a token from " + api.URL + "/oauth2/token/of/others (oauth2.tokenUrl): ", "(check oauth2.tokenUrl, "}},
		"no TLS there":       {url: plain, permanent: true, want: []string{"(write http:// in url of cloudapi"}},
		"no TLS for tokens":  {url: api.URL, token: plain, permanent: true, want: []string{"(write http:// in oauth2.tokenUrl of cloudapi"}},
		"nobody there":       {url: "http://" + nobody, want: []string{"connection refused (when it should be there: check url of cloudapi)"}},
		"nobody for tokens":  {url: api.URL, token: "http://" + nobody, want: []string{"connection refused (when it should be there: check oauth2.tokenUrl of cloudapi)"}},
	} {
		c := configOf(tt.url)
		if tt.token != "" {
			c.OAuth2.TokenURL = feed.NewURL(tt.token)
		}
		c.Patience = 0
		_, err := openExpectation(t, c).Watermark(t.Context())
		for _, want := range tt.want {
			checkShows(t, name, err, want)
		}
		if feed.IsPermanent(err) != tt.permanent {
			t.Errorf("%s: permanent %v: %v", name, !tt.permanent, err)
		}
	}
}
