package cloudapi

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// tb is what tests, benchmarks and properties have in common.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// clock is the time that a server believes in.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// secrets of the clients, which have the name of their scope.
const secret = "s%c:ret ü"

// api is a server and what its clients know of it.
type api struct {
	*Server
	clock  *clock
	http   *http.Client
	tokens map[Scope]string
}

func start(t testing.TB, o Options) *api {
	t.Helper()
	a := &api{clock: &clock{now: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)}, tokens: map[Scope]string{}}
	o.Now = a.clock.read
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, s := range scopes {
		o.Clients = append(o.Clients, Client{string(s), feed.NewSecret(secret), []Scope{s}})
	}
	var err error
	if a.Server, err = Start(o); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	a.http = &http.Client{Transport: transport, Timeout: time.Minute}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// answered is an answer that is as the description says.
type answered struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request and holds the answer against the description.
func (a *api) send(t tb, r *http.Request) answered {
	t.Helper()
	resp, err := a.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answered{resp.StatusCode, resp.Header, body}
	checkAnswer(t, r, got)
	return got
}

func (a *api) request(t tb, method, path, contentType string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, a.URL()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// ask sends a request with a token for scope, which it gets when it has none.
func (a *api) ask(t tb, scope Scope, method, path, contentType string, body []byte) answered {
	t.Helper()
	r := a.request(t, method, path, contentType, body)
	r.Header.Set("Authorization", "Bearer "+a.token(t, scope))
	return a.send(t, r)
}

func (a *api) token(t tb, scope Scope) string {
	t.Helper()
	if a.tokens[scope] == "" {
		r := a.request(t, "POST", "/oauth2/token", "application/x-www-form-urlencoded", []byte("grant_type=client_credentials"))
		r.SetBasicAuth(url.QueryEscape(string(scope)), url.QueryEscape(secret))
		var got tokenAnswer
		a.send(t, r).read(t, http.StatusOK, &got)
		a.tokens[scope] = got.AccessToken
	}
	return a.tokens[scope]
}

// read demands a status and reads the body.
func (a answered) read(t tb, status int, v any) {
	t.Helper()
	if a.status != status {
		t.Fatalf("answer %d %s, want %d", a.status, a.body, status)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

// refused demands a problem whose detail holds a text.
func (a answered) refused(t tb, status int, detail string) {
	t.Helper()
	var p problem
	a.read(t, status, &p)
	if p.Status != status || !strings.Contains(p.Detail, detail) {
		t.Fatalf("problem %+v, want one with %q", p, detail)
	}
}

// lines delivers readings as lines; query may number them.
func (a *api) lines(t tb, query string, rs ...reading.Reading) answered {
	t.Helper()
	var body []byte
	for i := range rs {
		body = append(rs[i].AppendJSON(body), '\n')
	}
	return a.ask(t, ScopeWrite, "POST", "/v1/batches"+query, contentLines, body)
}

// frame delivers readings as a batch.
func (a *api) frame(t tb, sequence uint64, rs ...reading.Reading) answered {
	t.Helper()
	return a.ask(t, ScopeWrite, "POST", "/v1/batches", batch.ContentType, frameOf(t, sequence, rs...))
}

func frameOf(t tb, sequence uint64, rs ...reading.Reading) []byte {
	t.Helper()
	frame, err := batch.Append(nil, batch.JSONGzip(), rs[0].Device, sequence, rs)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// took demands that a delivery was accepted.
func (a answered) took(t tb, accepted, repeated int) {
	t.Helper()
	var got receipt
	a.read(t, http.StatusOK, &got)
	if want := (receipt{accepted + repeated, accepted, repeated}); got != want {
		t.Fatalf("receipt %+v, want %+v", got, want)
	}
}

// told is a page as clients read it.
type told struct {
	readings  []reading.Reading
	next      string
	watermark string
}

func (a *api) page(t tb, parameters url.Values) told {
	t.Helper()
	var got struct {
		Readings        []json.RawMessage
		Next, Watermark *string
	}
	a.ask(t, ScopeRead, "GET", "/v1/readings?"+parameters.Encode(), "", nil).read(t, http.StatusOK, &got)
	var p told
	var parser reading.Parser
	for _, text := range got.Readings {
		r, err := parser.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p.readings = append(p.readings, r)
	}
	if got.Next != nil {
		p.next = *got.Next
	}
	if got.Watermark != nil {
		p.watermark = *got.Watermark
	}
	return p
}

// all reads page after page.
func (a *api) all(t tb, parameters url.Values) []reading.Reading {
	t.Helper()
	var rs []reading.Reading
	for {
		p := a.page(t, parameters)
		rs = append(rs, p.readings...)
		if p.next == "" {
			return rs
		}
		if p.next == parameters.Get("cursor") {
			t.Fatalf("the page behind %s ends where it begins", p.next)
		}
		parameters.Set("cursor", p.next)
	}
}

func (a *api) watermark(t tb) string {
	t.Helper()
	var got struct{ Watermark *string }
	a.ask(t, ScopeRead, "GET", "/v1/watermark", "", nil).read(t, http.StatusOK, &got)
	if got.Watermark == nil {
		return ""
	}
	return *got.Watermark
}

// second is a reading of a device at a second.
func second(device string, at int, value float64) reading.Reading {
	return reading.Reading{Site: "plant1", Line: "line2", Device: device, Tag: "temperature", Time: int64(at) * 1e9, Value: reading.OfFloat(value), Quality: "good", Seq: uint64(at)}
}

func seconds(device string, from, to int) (rs []reading.Reading) {
	for at := from; at < to; at++ {
		rs = append(rs, second(device, at, float64(at)))
	}
	return rs
}
