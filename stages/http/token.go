package http

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	nethttp "net/http"
	"net/url"
	"strings"
	"time"
)

// tokens gets access tokens with client credentials (RFC 6749, section 4.4), and
// keeps one until it is about to expire. It is for one request at a time.
type tokens struct {
	config *OAuth2
	http   *nethttp.Client

	token string
	until time.Time // zero: nobody has said how long it is good
}

// get returns a token that is good, for all that is known.
func (t *tokens) get(ctx context.Context) (string, error) {
	if t.token != "" && (t.until.IsZero() || time.Now().Before(t.until)) {
		return t.token, nil
	}
	asked := time.Now()
	token, lifetime, err := t.ask(ctx)
	if err != nil {
		return "", fmt.Errorf("get a token from oauth2.tokenUrl: %w", err)
	}
	t.token, t.until = token, time.Time{}
	if lifetime > 0 {
		// Before it ends, so that a request need not be sent twice.
		t.until = asked.Add(lifetime - min(lifetime/5, 30*time.Second))
	}
	return token, nil
}

// drop forgets the token: a server has refused it.
func (t *tokens) drop() { t.token = "" }

// ask asks for a token. The credentials are read now.
func (t *tokens) ask(ctx context.Context) (token string, lifetime time.Duration, err error) {
	u, err := t.config.TokenURL.Parse()
	if err != nil {
		return "", 0, err
	}
	secret, err := t.config.ClientSecret.Reveal()
	if err != nil {
		return "", 0, fmt.Errorf("oauth2.clientSecret: %w", err)
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(t.config.Scopes) > 0 {
		form.Set("scope", strings.Join(t.config.Scopes, " "))
	}
	req, err := nethttp.NewRequestWithContext(ctx, nethttp.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, redact(err)
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// Section 2.3.1 wants them encoded first.
	req.SetBasicAuth(url.QueryEscape(t.config.ClientID), url.QueryEscape(secret))
	resp, err := t.http.Do(req)
	if err != nil {
		return "", 0, redact(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", 0, err
	}
	if resp.StatusCode != nethttp.StatusOK {
		// Section 5.2: it says why, and holds no credential.
		return "", 0, fmt.Errorf("answered %d: %s", resp.StatusCode, shown(body))
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	// The text of an error might quote the token.
	if json.Unmarshal(body, &answer) != nil || answer.AccessToken == "" || !strings.EqualFold(answer.TokenType, "bearer") {
		return "", 0, fmt.Errorf("answered %d with something else than a bearer token in JSON", resp.StatusCode)
	}
	return answer.AccessToken, time.Duration(min(answer.ExpiresIn, int64(maxTokenLifetime/time.Second))) * time.Second, nil
}

// maxTokenLifetime bounds how long a token is kept.
const maxTokenLifetime = 24 * time.Hour
