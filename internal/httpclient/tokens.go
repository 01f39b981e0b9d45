package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// UserAgent is what requests say that they come from.
const UserAgent = "datafeed"

// MaxAnswer is how much is read of an answer that is only for people, or short:
// enough for a connection to be used again in all ordinary cases.
const MaxAnswer = 64 << 10

// Credentials are those of a client (RFC 6749, section 4.4).
type Credentials struct {
	TokenURL feed.URL
	// Key is the key of the configuration that says where tokens come from. Errors
	// name it.
	Key          string
	ClientID     string
	ClientSecret feed.Secret
	Scopes       []string // none: those that the server gives by itself
}

// Tokens gets access tokens with client credentials, and keeps one until it is
// about to expire. It is for concurrent use.
type Tokens struct {
	credentials Credentials
	http        *http.Client

	turn  chan struct{} // holds one while somebody looks at the token, or gets one
	token string
	until time.Time // zero: nobody has said how long it is good
}

// NewTokens returns tokens that are asked for with a client, whose Timeout bounds
// how long that takes.
func NewTokens(c Credentials, h *http.Client) *Tokens {
	return &Tokens{credentials: c, http: h, turn: make(chan struct{}, 1)}
}

// StatusError is an answer of a token's server that is no success.
type StatusError struct {
	Status     int
	RetryAfter time.Duration // 0: nothing was said
	Text       string        // the beginning of the answer
}

// Error shows status and text.
func (e *StatusError) Error() string { return fmt.Sprintf("answered %d: %s", e.Status, e.Text) }

// ErrNoToken is an answer that says that it succeeded, and is none.
var ErrNoToken = errors.New("something else than a bearer token in JSON")

// Get returns a token that is good, for all that is known. Errors are a
// [*StatusError], [ErrNoToken], or say that there was no answer.
func (t *Tokens) Get(ctx context.Context) (string, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if t.token != "" && (t.until.IsZero() || time.Now().Before(t.until)) {
		return t.token, nil
	}
	asked := time.Now()
	token, lifetime, err := t.ask(ctx)
	if err != nil {
		return "", fmt.Errorf("get a token from %s (%s): %w", t.credentials.TokenURL, t.credentials.Key, err)
	}
	t.token, t.until = token, time.Time{}
	if lifetime > 0 {
		// Before it ends, so that a request need not be sent twice.
		t.until = asked.Add(lifetime - min(lifetime/5, 30*time.Second))
	}
	return token, nil
}

// Drop forgets a token that a server has refused. It waits for a Get that is under
// way.
func (t *Tokens) Drop(token string) {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if t.token == token {
		t.token = ""
	}
}

// maxTokenLifetime bounds how long a token is kept.
const maxTokenLifetime = 24 * time.Hour

// ask asks for a token. The credentials are read now.
func (t *Tokens) ask(ctx context.Context) (token string, lifetime time.Duration, err error) {
	c := &t.credentials
	u, err := c.TokenURL.Parse()
	if err != nil {
		return "", 0, err
	}
	secret, err := c.ClientSecret.Reveal()
	if err != nil {
		return "", 0, fmt.Errorf("oauth2.clientSecret: %w", err)
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, Redact(err)
	}
	req.Header.Set("User-Agent", UserAgent)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// Section 2.3.1 wants them encoded first.
	req.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(secret))
	resp, err := t.http.Do(req)
	if err != nil {
		return "", 0, Redact(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer))
	if err != nil {
		return "", 0, err
	}
	if resp.StatusCode != http.StatusOK {
		// Section 5.2: it says why, and holds no credential.
		return "", 0, &StatusError{resp.StatusCode, RetryAfter(resp.Header.Get("Retry-After"), time.Now()), Shown(body)}
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	// The text of an error might quote the token.
	if json.Unmarshal(body, &answer) != nil || answer.AccessToken == "" || !strings.EqualFold(answer.TokenType, "bearer") {
		return "", 0, fmt.Errorf("answered %d with %w", resp.StatusCode, ErrNoToken)
	}
	return answer.AccessToken, time.Duration(min(answer.ExpiresIn, int64(maxTokenLifetime/time.Second))) * time.Second, nil
}
