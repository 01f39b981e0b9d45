package http

import (
	"errors"
	"fmt"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

// authority hands out tokens, numbered, for the client "line:1" with the secret
// "a b".
type authority struct {
	*httptest.Server
	issued atomic.Int64
	form   atomic.Value                                                  // string: of the last request
	answer atomic.Pointer[func(w nethttp.ResponseWriter) (handled bool)] // nil: as it should be
}

func newAuthority(t *testing.T) *authority {
	a := &authority{}
	a.Server = httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if err := r.ParseForm(); err != nil {
			nethttp.Error(w, err.Error(), 400)
			return
		}
		a.form.Store(r.PostForm.Encode())
		id, secret, _ := r.BasicAuth()
		answer := a.answer.Load()
		switch {
		case answer != nil && (*answer)(w):
		case r.Method != nethttp.MethodPost || id != "line%3A1" || secret != "a+b":
			w.WriteHeader(401)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
		default:
			fmt.Fprintf(w, `{"access_token":"token%d","token_type":"bearer","expires_in":60}`, a.issued.Add(1))
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *authority) config(secret string) *OAuth2 {
	return &OAuth2{TokenURL: feed.NewURL(a.URL + "/token"), ClientID: "line:1", ClientSecret: feed.NewSecret(secret), Scopes: []string{"a", "b"}}
}

func TestClientCredentials(t *testing.T) {
	a, v := newAuthority(t), newReceiver(t)
	s := openSink(t, v, func(c *SinkConfig) { c.OAuth2 = a.config("a b") })
	publish := func() error { return s.PublishBatch(t.Context(), batchOf("1")) }
	for range 2 { // with one token
		if err := publish(); err != nil {
			t.Fatal(err)
		}
	}
	if form := a.form.Load(); form != "grant_type=client_credentials&scope=a+b" {
		t.Errorf("asked with %v", form)
	}
	// One that is refused is given up; the next try has another one.
	v.mu.Lock()
	v.answer = func(w nethttp.ResponseWriter, r *nethttp.Request, _ []byte) bool {
		refused := r.Header.Get("Authorization") == "Bearer token1"
		if refused {
			w.WriteHeader(401)
		}
		return refused
	}
	v.mu.Unlock()
	if err := publish(); err == nil || feed.IsPermanent(err) {
		t.Errorf("a refused token: %v", err)
	}
	if err := publish(); err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, g := range v.all() {
		sent = append(sent, g.header.Get("Authorization"))
	}
	if want := []string{"Bearer token1", "Bearer token1", "Bearer token2"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
}

// TestNoToken checks that a batch waits while there is no token, and that what
// went wrong is said without a credential.
func TestNoToken(t *testing.T) {
	for name, tt := range map[string]struct {
		secret, want string
		answer       func(w nethttp.ResponseWriter) bool
	}{
		"secret": {"canary", "401", nil},
		"no JSON": {"a b", "bearer token", func(w nethttp.ResponseWriter) bool {
			fmt.Fprint(w, "canary")
			return true
		}},
		"another type": {"a b", "bearer token", func(w nethttp.ResponseWriter) bool {
			fmt.Fprint(w, `{"access_token":"canary","token_type":"mac"}`)
			return true
		}},
		"redirect": {"a b", "307", func(w nethttp.ResponseWriter) bool {
			w.Header().Set("Location", "http://127.0.0.1:1/canary")
			w.WriteHeader(307)
			return true
		}},
		"gone": {"a b", "EOF", func(nethttp.ResponseWriter) bool { panic(nethttp.ErrAbortHandler) }},
	} {
		a, v := newAuthority(t), newReceiver(t)
		if tt.answer != nil {
			a.answer.Store(&tt.answer)
		}
		secret := filepath.Join(t.TempDir(), "secret")
		write := func(text string) {
			if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(tt.secret)
		s := openSink(t, v, func(c *SinkConfig) {
			c.OAuth2 = a.config("")
			c.OAuth2.ClientSecret = feed.SecretFile(secret)
		})
		err := s.PublishBatch(t.Context(), batchOf("1"))
		if err == nil || feed.IsPermanent(err) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "oauth2.tokenUrl") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Probe(t.Context()); err == nil {
			t.Errorf("%s: the probe succeeds", name)
		}
		if n := len(v.all()); n != 0 {
			t.Errorf("%s: %d requests without a token", name, n)
		}
		a.answer.Store(nil)
		write("a b")
		if err := s.PublishBatch(t.Context(), batchOf("1")); err != nil {
			t.Errorf("%s, afterwards: %v", name, err)
		}
	}
}

func TestOAuth2Refuses(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*SinkConfig)
		key  string
	}{
		"no URL":         {func(c *SinkConfig) { c.OAuth2.TokenURL = feed.URL{} }, "oauth2.tokenUrl"},
		"scheme":         {func(c *SinkConfig) { c.OAuth2.TokenURL = feed.NewURL("ftp://host") }, "oauth2.tokenUrl"},
		"no client":      {func(c *SinkConfig) { c.OAuth2.ClientID = "" }, "oauth2.clientId"},
		"no secret":      {func(c *SinkConfig) { c.OAuth2.ClientSecret = feed.Secret{} }, "oauth2.clientSecret"},
		"a token, too":   {func(c *SinkConfig) { c.BearerToken = feed.NewSecret("t") }, "oauth2"},
		"a user as well": {func(c *SinkConfig) { c.Username = "u" }, "oauth2"},
	} {
		c := DefaultSinkConfig()
		c.URL = feed.NewURL("https://host/path")
		c.OAuth2 = &OAuth2{TokenURL: feed.NewURL("https://host/token"), ClientID: "c", ClientSecret: feed.NewSecret("s")}
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
