package cloudapi

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

const form = "application/x-www-form-urlencoded"

func TestTokenRequests(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a := start(t, Options{TokenLifetime: 7 * time.Second, Clients: []Client{
		{"both", feed.NewSecret("s"), []Scope{ScopeRead, ScopeWrite}},
		{"unread", feed.SecretFile("/nowhere"), []Scope{ScopeRead}},
		{"empty", feed.SecretFile(empty), []Scope{ScopeRead}},
	}})
	good := url.Values{"grant_type": {"client_credentials"}, "client_id": {"both"}, "client_secret": {"s"}}
	for _, tt := range []struct {
		what, change string // parameters to set, or to remove with no value
		basic        string
		status       int
		want         string // scope, or error
	}{
		{"form", "", "", 200, "readings.read readings.write"},
		{"basic", "client_id=&client_secret=", "both:s", 200, "readings.read readings.write"},
		{"a scope", "scope=readings.write", "", 200, "readings.write"},
		{"a scope too much", "scope=readings.read+admin", "", 400, "invalid_scope"},
		{"no grant", "grant_type=", "", 400, "invalid_request"},
		{"another grant", "grant_type=password", "", 400, "unsupported_grant_type"},
		{"twice", "scope=a&scope=b", "", 400, "invalid_request"},
		{"both ways", "", "both:s", 400, "invalid_request"},
		{"wrong secret", "client_secret=x", "", 401, "invalid_client"},
		{"wrong basic", "client_secret=", "both:x", 401, "invalid_client"},
		{"badly encoded", "client_secret=", "both:%zz", 400, "invalid_request"},
		{"no secret", "client_secret=", "", 401, "invalid_client"},
		{"nobody", "client_id=nobody", "", 401, "invalid_client"},
		{"secret that cannot be read", "client_id=unread", "", 401, "invalid_client"},
		{"empty secret", "client_id=empty&client_secret=", "", 401, "invalid_client"},
		{"large", "scope=" + strings.Repeat("x", maxTokenRequest), "", 400, "invalid_request"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			change, err := url.ParseQuery(tt.change)
			if err != nil {
				t.Fatal(err)
			}
			parameters := url.Values{}
			for _, from := range []url.Values{good, change} {
				for name, values := range from {
					parameters[name] = values
				}
			}
			for name, values := range parameters {
				if values[0] == "" {
					delete(parameters, name)
				}
			}
			r := a.request(t, "POST", "/oauth2/token", form, []byte(parameters.Encode()))
			if user, password, ok := strings.Cut(tt.basic, ":"); ok {
				r.SetBasicAuth(user, password)
			}
			got := a.send(t, r)
			if got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("header %v", got.header)
			}
			if tt.status != http.StatusOK {
				var p tokenProblem
				if got.read(t, tt.status, &p); p.Code != tt.want {
					t.Errorf("error %+v, want %s", p, tt.want)
				}
				return
			}
			var token tokenAnswer
			if got.read(t, tt.status, &token); token.Scope != tt.want || token.ExpiresIn != 7 {
				t.Errorf("token %+v, want scope %q for 7 s", token, tt.want)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	data := filepath.Join(t.TempDir(), "x.db")
	a := start(t, Options{Data: data, TokenLifetime: 10 * time.Second, Clients: []Client{{"both", feed.NewSecret("s"), []Scope{ScopeRead, ScopeWrite}}}})
	other := start(t, Options{})
	valid, written, foreign := a.token(t, ScopeRead), a.token(t, ScopeWrite), other.token(t, ScopeRead)
	ask := func(authorization string) answered {
		t.Helper()
		r := a.request(t, "GET", "/v1/watermark", "", nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		return a.send(t, r)
	}
	refused := func(authorization string, status int, detail, challenge string) {
		t.Helper()
		got := ask(authorization)
		got.refused(t, status, detail)
		if c := got.header.Get("WWW-Authenticate"); !strings.HasPrefix(c, `Bearer realm="readings"`) || !strings.Contains(c, challenge) {
			t.Errorf("challenge %q, want %q", c, challenge)
		}
	}
	refused("", 401, "no bearer token", "")
	refused("Basic eDp5", 401, "no bearer token", "")
	refused("Bearer "+foreign, 401, "not one of this server", `error="invalid_token"`)
	refused("Bearer "+valid[1:], 401, "not one of this server", `error="invalid_token"`)
	refused("Bearer "+valid+"A", 401, "not one of this server", `error="invalid_token"`)
	refused("Bearer "+written, 403, "scope readings.read", `error="insufficient_scope", error_description="the token has not the scope readings.read", scope="readings.read"`)
	for _, path := range []string{"/admin/faults", "/v1/batches"} {
		r := a.request(t, map[string]string{"/admin/faults": "GET", "/v1/batches": "POST"}[path], path, contentLines, nil)
		r.Header.Set("Authorization", "Bearer "+valid)
		a.send(t, r).refused(t, 403, "scope")
	}
	// A token has the scopes that it was asked for, not all of the client.
	var narrow tokenAnswer
	a.send(t, a.request(t, "POST", "/oauth2/token", form, []byte("grant_type=client_credentials&client_id=both&client_secret=s&scope=readings.write"))).read(t, 200, &narrow)
	refused("Bearer "+narrow.AccessToken, 403, "scope readings.read", `error="insufficient_scope"`)
	if got := ask("bearer " + valid); got.status != 200 {
		t.Errorf("answer %d %s", got.status, got.body)
	}
	a.clock.advance(10*time.Second - 1)
	if got := ask("Bearer " + valid); got.status != 200 {
		t.Errorf("answer %d %s just before the end", got.status, got.body)
	}
	a.clock.advance(1)
	refused("Bearer "+valid, 401, "expired", `error="invalid_token"`)

	// A server that knows one of the clients no more, and gives another less.
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Start(Options{Data: data, Now: func() time.Time { return a.clock.read().Add(-5 * time.Second) }, Clients: []Client{{string(ScopeRead), feed.NewSecret("s"), []Scope{ScopeWrite}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a.Server = s
	refused("Bearer "+written, 401, "no longer known", `error="invalid_token"`)
	refused("Bearer "+valid, 403, "scope readings.read", `error="insufficient_scope"`)
}

func TestSecretsAreNotShown(t *testing.T) {
	var log bytes.Buffer
	a := start(t, Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	a.options.Logger.Info("clients", "clients", a.Clients())
	r := a.request(t, "POST", "/oauth2/token", form, []byte("grant_type=client_credentials"))
	r.SetBasicAuth(string(ScopeRead), url.QueryEscape("wrong"+secret))
	got := a.send(t, r)
	if strings.Contains(log.String(), "s%c:ret") || strings.Contains(string(got.body), "c:ret") || !strings.Contains(log.String(), "redacted") {
		t.Errorf("log %s, answer %s", log.String(), got.body)
	}
}

func TestLoadClients(t *testing.T) {
	t.Setenv("VALIDATOR_SECRET", "from the environment")
	path := filepath.Join(t.TempDir(), "clients.yaml")
	for _, tt := range []struct{ text, problem string }{
		{`clients: [{id: v, secret: "${VALIDATOR_SECRET}", scopes: [readings.read, readings.write]}]`, ""},
		{`clients: []`, "there are none"},
		{``, "EOF"},
		{`clients: [{id: v, secret: s, scope: [admin]}]`, "field scope not found"},
		{`clients: [{id: v, secret: "${NOT_SET_ANYWHERE}", scopes: [admin]}]`, "clients[0].secret: environment variable NOT_SET_ANYWHERE is not set"},
		{`clients: [{id: v, scopes: [admin]}]`, "clients[0].secret: is missing"},
		{`clients: [{id: v, secret: s}]`, "clients[0].scopes: are missing"},
		{`clients: [{id: v, secret: s, scopes: [read]}]`, `clients[0].scopes: "read" is unknown`},
		{`clients: [{id: v w, secret: s, scopes: [admin]}]`, `clients[0].id: "v w"`},
		{`clients: [{id: v, secret: s, scopes: [admin]}, {id: v, secret: s, scopes: [admin]}]`, `clients[1].id: "v" is there twice`},
	} {
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		clients, err := LoadClients(path)
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: error %v, want %q", tt.text, err, tt.problem)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := clients[0].Secret.Reveal()
		if err != nil || len(clients) != 1 || clients[0].ID != "v" || s != "from the environment" || !slices.Equal(clients[0].Scopes, []Scope{ScopeRead, ScopeWrite}) {
			t.Errorf("clients %+v, secret %q, error %v", clients, s, err)
		}
	}
	if _, err := LoadClients(path + "x"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
}
