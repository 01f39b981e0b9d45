package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestValidateAgainstABadAPI: whatever the API answers, the command ends, exits
// with 2 and says what came; nothing is printed as a result, and the secret is not
// shown.
func TestValidateAgainstABadAPI(t *testing.T) {
	const readings, watermark = "/v1/readings", "/v1/watermark"
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(code)
		}
	}
	text := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	const page = `{"readings":[{"site":"p","line":"l","device":"d","tag":"t","ts":"2026-03-01T00:00:01Z","value":1,"quality":"good","seq":1}],"next":"again","watermark":"2026-03-02T00:00:00Z"}`
	for name, bad := range map[string]struct {
		at     string
		answer http.HandlerFunc
		want   string
	}{
		"the client is unknown":    {"/oauth2/token", status(http.StatusUnauthorized), "401"},
		"a token is refused":       {watermark, status(http.StatusUnauthorized), "401"},
		"it may not read":          {readings, status(http.StatusForbidden), "403"},
		"too many requests":        {readings, status(http.StatusTooManyRequests), "429"},
		"broken":                   {readings, status(http.StatusInternalServerError), "500"},
		"a page for people":        {readings, text("<html>Please log in</html>"), "Please log in"},
		"not what was asked for":   {readings, text(strings.ReplaceAll(page, "2026-03-01", "2026-01-01")), "2026-01-01"},
		"a page that breaks off":   {readings, text(page[:100]), "the answer of 100 bytes is not a page of readings"},
		"a cursor that goes round": {readings, text(page), "cursor"},
		"a watermark of a kind":    {watermark, text(`{"watermark":"tomorrow"}`), "tomorrow"},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string]http.HandlerFunc{
				"/oauth2/token": text(`{"access_token":"canary-token","token_type":"Bearer","expires_in":300}`),
				watermark:       text(`{"watermark":"2026-03-02T00:00:00Z"}`),
				readings:        text(`{"readings":[],"next":null,"watermark":"2026-03-02T00:00:00Z"}`),
			}
			answers[bad.at] = bad.answer
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "application/json")
				answers[r.URL.Path](w, r)
			}))
			defer api.Close()
			dir := t.TempDir()
			t.Setenv("CLOUD_SECRET", "canary-secret")
			file := filepath.Join(dir, "feed.yaml")
			if err := os.WriteFile(file, fmt.Appendf(nil, `
validate:
  expect:
    cloudapi: {url: %s, patience: 200ms, timeout: 5s, oauth2: {clientId: validator, clientSecret: "${CLOUD_SECRET}"}}
  observe: {blob: {url: "file://%s"}}
`, api.URL, dir), 0o600); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			stdout, stderr := runs(t, exitUsage, "validate", file, "--from", "2026-03-01", "--to", "2026-03-01T01:00:00Z")
			if !strings.Contains(stderr, bad.want) || stdout != "" || strings.Contains(stderr, "canary") {
				t.Errorf("stdout %q, stderr:\n%s", stdout, stderr)
			}
			if passed := time.Since(began); passed > time.Minute {
				t.Errorf("it took %v", passed)
			}
		})
	}
}
