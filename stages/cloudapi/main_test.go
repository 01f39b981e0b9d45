package cloudapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the time around which the readings of the tests are.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// secret is that of all clients of the stand-in.
const secret = "s%c:ret ü"

var quiet = slog.New(slog.DiscardHandler)

// api is the stand-in, and who writes into it.
type api struct {
	*cloudapi.Server
	http   http.Client
	mu     sync.Mutex
	tokens map[cloudapi.Scope]string
}

func startAPI(t testing.TB, edit func(*cloudapi.Options)) *api {
	t.Helper()
	o := cloudapi.Options{Data: t.TempDir(), Logger: quiet}
	for _, s := range []cloudapi.Scope{cloudapi.ScopeRead, cloudapi.ScopeWrite, cloudapi.ScopeAdmin} {
		o.Clients = append(o.Clients, cloudapi.Client{ID: string(s), Secret: feed.NewSecret(secret), Scopes: []cloudapi.Scope{s}})
	}
	if edit != nil {
		edit(&o)
	}
	server, err := cloudapi.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	a := &api{Server: server, http: http.Client{Transport: transport, Timeout: time.Minute}, tokens: map[cloudapi.Scope]string{}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// send sends a request and demands 200.
func (a *api) send(t testing.TB, r *http.Request) []byte {
	t.Helper()
	resp, err := a.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: answer %d %s, %v", r.Method, r.URL.Path, resp.StatusCode, body, err)
	}
	return body
}

func (a *api) ask(t testing.TB, scope cloudapi.Scope, method, path, contentType string, body []byte) []byte {
	t.Helper()
	a.mu.Lock()
	token := a.tokens[scope]
	a.mu.Unlock()
	if token == "" {
		r, err := http.NewRequest(http.MethodPost, a.URL()+"/oauth2/token", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(url.QueryEscape(string(scope)), url.QueryEscape(secret))
		var got struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(a.send(t, r), &got); err != nil {
			t.Fatal(err)
		}
		token = got.AccessToken
		a.mu.Lock()
		a.tokens[scope] = token
		a.mu.Unlock()
	}
	r, err := http.NewRequest(method, a.URL()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", contentType)
	return a.send(t, r)
}

// put delivers readings as lines.
func (a *api) put(t testing.TB, rs ...reading.Reading) {
	t.Helper()
	var body []byte
	for i := range rs {
		body = append(rs[i].AppendJSON(body), '\n')
	}
	a.ask(t, cloudapi.ScopeWrite, http.MethodPost, "/v1/batches", "application/x-ndjson", body)
}

// faults sets what the API does wrong.
func (a *api) faults(t testing.TB, f cloudapi.Faults) {
	t.Helper()
	body, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	a.ask(t, cloudapi.ScopeAdmin, http.MethodPut, "/admin/faults", "application/json", body)
}

// configOf returns a configuration for an API at an address.
func configOf(address string) Config {
	c := DefaultConfig()
	c.URL = feed.NewURL(address)
	c.OAuth2.ClientID, c.OAuth2.ClientSecret = string(cloudapi.ScopeRead), feed.NewSecret(secret)
	return c
}

func openExpectation(t testing.TB, c Config) *Expectation {
	t.Helper()
	e, err := NewExpectation(c, feed.StageEnv{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// seconds returns n readings of a device, a second apart, from noon on.
func seconds(device string, n int) []reading.Reading {
	rs := make([]reading.Reading, n)
	for i := range rs {
		rs[i] = reading.Reading{
			Site: "plant1", Line: "line2", Device: device, Tag: fmt.Sprintf("tag%d", i%3),
			Time: noon.Add(time.Duration(i) * time.Second).UnixNano(), Value: reading.OfFloat(float64(i) / 8), Quality: "good", Seq: uint64(i),
		}
	}
	return rs
}

// day is a query for all readings of the tests.
var day = validate.Query{From: noon.Add(-24 * time.Hour), To: noon.Add(24 * time.Hour)}

// all reads what a query means.
func all(t testing.TB, e *Expectation, q validate.Query) (rs []reading.Reading, err error) {
	t.Helper()
	err = e.Read(t.Context(), q, func(p validate.Page) error {
		for _, r := range p.Records {
			rs = append(rs, r.Reading)
		}
		for _, u := range p.Unreadable {
			t.Errorf("%v cannot be read: %v", u.Place, u.Err)
		}
		return nil
	})
	return rs, err
}
