package cloudapi

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

func TestConfigRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*Config)
		key  string
	}{
		"no URL":          {func(c *Config) { c.URL = feed.URL{} }, "url"},
		"no URL at all":   {func(c *Config) { c.URL = feed.NewURL("https://%zz") }, "url"},
		"scheme":          {func(c *Config) { c.URL = feed.NewURL("ftp://host") }, "url"},
		"no host":         {func(c *Config) { c.URL = feed.NewURL("https:///v1") }, "url"},
		"user":            {func(c *Config) { c.URL = feed.NewURL("https://user:s3cret@host") }, "url"},
		"query":           {func(c *Config) { c.URL = feed.NewURL("https://host/?a=b") }, "url"},
		"plaintext":       {func(c *Config) { c.URL = feed.NewURL("http://host") }, "url"},
		"plaintext to IP": {func(c *Config) { c.URL = feed.NewURL("http://10.0.0.1") }, "url"},
		"plaintext token": {func(c *Config) { c.OAuth2.TokenURL = feed.NewURL("http://host/token") }, "oauth2.tokenUrl"},
		"no client":       {func(c *Config) { c.OAuth2.ClientID = "" }, "oauth2.clientId"},
		"no secret":       {func(c *Config) { c.OAuth2.ClientSecret = feed.Secret{} }, "oauth2.clientSecret"},
		"authority":       {func(c *Config) { c.URL = feed.NewURL("http://127.0.0.1"); c.TLS.CAFile = "ca.pem" }, "tls"},
		"page size":       {func(c *Config) { c.PageSize = 0 }, "pageSize"},
		"large pages":     {func(c *Config) { c.PageSize = 10_001 }, "pageSize"},
		"parallel":        {func(c *Config) { c.Parallel = 0 }, "parallel"},
		"timeout":         {func(c *Config) { c.Timeout = 0 }, "timeout"},
		"patience":        {func(c *Config) { c.Patience = -time.Second }, "patience"},
	} {
		c := configOf("https://host/path")
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		tt.edit(&c)
		err := c.Validate()
		var ce *feed.ConfigError
		if !errors.As(err, &ce) || ce.Key != tt.key || ce.Remedy == "" {
			t.Errorf("%s: %v, want an error of %s", name, err, tt.key)
		}
		checkShows(t, name, err, "")
		if _, err := NewExpectation(c, feed.StageEnv{}); err == nil {
			t.Errorf("%s: an expectation was made", name)
		}
	}
}

func TestConfigPermits(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"loopback":      func(c *Config) { c.URL = feed.NewURL("http://127.0.0.1:8080") },
		"IPv6 loopback": func(c *Config) { c.URL = feed.NewURL("http://[::1]:8080") },
		"localhost":     func(c *Config) { c.URL = feed.NewURL("http://localhost:8080") },
		"said so":       func(c *Config) { c.URL = feed.NewURL("http://api.plant"); c.Plaintext = true },
		"token":         func(c *Config) { c.OAuth2.TokenURL = feed.NewURL("https://login.example/token") },
	} {
		c := configOf("https://host/path")
		edit(&c)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTLS: an authority that is given is trusted.
func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/base/oauth2/token" {
			w.Write([]byte(`{"access_token":"token","token_type":"Bearer"}`))
			return
		}
		if r.URL.Path != "/base/v1/watermark" || r.Header.Get("Authorization") != "Bearer token" {
			t.Errorf("%s with %s", r.URL.Path, r.Header.Get("Authorization"))
		}
		w.Write([]byte(`{"watermark":"2026-11-21T13:00:00+01:00"}`))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c := configOf(server.URL + "/base/")
	c.TLS.CAFile = file
	if at, err := openExpectation(t, c).Watermark(t.Context()); err != nil || at != noon {
		t.Errorf("%v, %v", at, err)
	}
	c.TLS.CAFile = filepath.Join(t.TempDir(), "none")
	if _, err := NewExpectation(c, feed.StageEnv{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
