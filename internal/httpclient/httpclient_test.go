package httpclient

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers requests without a network, so that time can be a bubble's.
type serve func(*http.Request) *http.Response

func (s serve) RoundTrip(r *http.Request) (*http.Response, error) { return s(r), nil }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func newTokens(s serve) *Tokens {
	return NewTokens(Credentials{TokenURL: feed.NewURL("https://host/token"), Key: "oauth2.tokenUrl", ClientID: "line:1", ClientSecret: feed.NewSecret("a b"), Scopes: []string{"a", "b"}}, &http.Client{Transport: s})
}

// TestTokenIsKept: until it is about to expire, or is dropped, by many.
func TestTokenIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		tokens := newTokens(func(r *http.Request) *http.Response {
			asked++
			time.Sleep(time.Second) // of fake time
			id, secret, _ := r.BasicAuth()
			form, err := io.ReadAll(r.Body)
			if err != nil || id != "line%3A1" || secret != "a+b" || string(form) != "grant_type=client_credentials&scope=a+b" {
				t.Errorf("asked by %s, %s with %s, %v", id, secret, form, err)
			}
			return answer(200, fmt.Sprintf(`{"access_token":"token%d","token_type":"bearer","expires_in":60}`, asked))
		})
		get := func() string {
			token, err := tokens.Get(t.Context())
			if err != nil {
				t.Error(err)
			}
			return token
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if token := get(); token != "token1" {
					t.Errorf("%s", token)
				}
			})
		}
		wg.Wait()
		if asked != 1 {
			t.Errorf("ten at a time asked for %d tokens", asked)
		}
		time.Sleep(46 * time.Second) // of fake time: 47 s after it was asked for
		if token := get(); token != "token1" {
			t.Errorf("%s is used 13 s before the first one ends", token)
		}
		time.Sleep(time.Second) // of fake time
		if token := get(); token != "token2" {
			t.Errorf("%s is used 12 s before it ends", token)
		}
		tokens.Drop("token1")
		if token := get(); token != "token2" {
			t.Errorf("%s: another token was dropped", token)
		}
		tokens.Drop("token2")
		if token := get(); token != "token3" {
			t.Errorf("%s: it was dropped", token)
		}
	})
}

// TestGetEndsWithItsContext, also while somebody else asks.
func TestGetEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		tokens := newTokens(func(*http.Request) *http.Response {
			<-release
			return answer(200, `{"access_token":"token","token_type":"Bearer"}`)
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			if token, err := tokens.Get(t.Context()); token != "token" || err != nil {
				t.Errorf("%s, %v", token, err)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := tokens.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		close(release)
		wg.Wait()
		time.Sleep(365 * 24 * time.Hour) // of fake time: nobody has said when it ends
		if token, err := tokens.Get(t.Context()); token != "token" || err != nil {
			t.Errorf("%s, %v", token, err)
		}
	})
}

func TestNoToken(t *testing.T) {
	limited := answer(429, "slow down")
	limited.Header.Set("Retry-After", "7")
	for _, tt := range []struct {
		answer *http.Response
		is     func(error) bool
	}{
		{limited, func(err error) bool {
			var se *StatusError
			return errors.As(err, &se) && *se == StatusError{429, 7 * time.Second, "slow down"}
		}},
		{answer(200, "canary"), func(err error) bool { return errors.Is(err, ErrNoToken) }},
		{answer(200, `{"access_token":"canary","token_type":"mac"}`), func(err error) bool { return errors.Is(err, ErrNoToken) }},
		{answer(200, `{"access_token":"","token_type":"bearer"}`), func(err error) bool { return errors.Is(err, ErrNoToken) }},
		{answer(201, `{"access_token":"t","token_type":"bearer"}`), func(err error) bool { return errors.As(err, new(*StatusError)) }},
	} {
		_, err := newTokens(func(*http.Request) *http.Response { return tt.answer }).Get(t.Context())
		if err == nil || !tt.is(err) || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "get a token from https://host/token (oauth2.tokenUrl): ") {
			t.Errorf("%v", err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "1.5": 0, "soon": 0,
		"999999999":                     999999999 * time.Second,
		"99999999999999999999":          0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second,
		"Fri, 02 Jan 2026 03:00:00 GMT": 0,
		"Sat, 03 Jan 2026 03:04:05 GMT": 24 * time.Hour,
	} {
		if got := RetryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestShown(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a\r\n\tb\x00c\n": "a b c", "\xff": "�", strings.Repeat("x", 300): strings.Repeat("x", shownAnswer),
	} {
		if got := Shown([]byte(text)); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	inner := errors.New("refused")
	if got := Redact(fmt.Errorf("ask: %w", &url.Error{Op: "Get", URL: "https://host/?key=canary", Err: inner})); got != inner { //nolint:errorlint // exactly it
		t.Errorf("%v", got)
	}
	if got := Redact(inner); got != inner { //nolint:errorlint // exactly it
		t.Errorf("%v", got)
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	get := func() error {
		c, err := TLS(file)
		if err != nil {
			return err
		}
		transport := &http.Transport{TLSClientConfig: c}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get(server.URL)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "tls.caFile") {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := get(); err == nil || !strings.Contains(err.Error(), "no PEM certificate") {
		t.Errorf("no certificate: %v", err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := get(); err != nil {
		t.Errorf("with the authority: %v", err)
	}
	file = ""
	if err := get(); err == nil {
		t.Error("an unknown authority is trusted")
	}
}
