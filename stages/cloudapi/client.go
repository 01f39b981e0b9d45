package cloudapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/httpclient"
)

// client asks the API, again if need be. It is for concurrent use.
type client struct {
	base     *url.URL
	patience time.Duration
	logger   *slog.Logger
	http     http.Client
	tokens   *httpclient.Tokens
	tokenKey string // says where tokens come from: oauth2.tokenUrl or url
	pause    pause
	costs    costs
}

// newTransport returns what connects to the API.
func newTransport(c Config, secure *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     secure,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: c.Parallel,
		IdleConnTimeout:     time.Minute,
	}
}

func newClient(c Config, transport http.RoundTripper, logger *slog.Logger) (*client, error) {
	base, err := c.URL.Parse()
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	cl := &client{base: base, patience: c.Patience, logger: logger, http: http.Client{
		Transport:     transport,
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	tokenURL := c.OAuth2.TokenURL
	cl.tokenKey = "oauth2.tokenUrl"
	if tokenURL.IsZero() {
		tokenURL, cl.tokenKey = feed.NewURL(base.JoinPath("/oauth2/token").String()), "url"
	}
	cl.tokens = httpclient.NewTokens(httpclient.Credentials{
		TokenURL: tokenURL, Key: cl.tokenKey, ClientID: c.OAuth2.ClientID, ClientSecret: c.OAuth2.ClientSecret, Scopes: c.OAuth2.Scopes,
	}, &cl.http)
	return cl, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// get returns the whole answer to a request, in buffer as far as it fits. It
// tries again while a failure may pass, and patience lasts.
func (c *client) get(ctx context.Context, path string, parameters url.Values, buffer []byte) (body []byte, err error) {
	r := newRetry(c.patience)
	renewed := false
	for {
		paused, err := c.pause.wait(ctx)
		if err != nil {
			return nil, err
		}
		r.excuse(paused) // another request was asked for it: what this one was asked for is over
		token, err := c.tokens.Get(ctx)
		if err == nil {
			body, err = c.ask(ctx, path, parameters, token, buffer)
		} else {
			err = tokenFailure(err, c.tokenKey)
		}
		var f *failure
		switch {
		case err == nil:
			return body, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !errors.As(err, &f):
			return nil, err
		case f.status == http.StatusUnauthorized && !renewed:
			// It may have ended on its way, or by decree.
			renewed = true
			c.tokens.Drop(token)
		case !f.passes:
			return nil, feed.Permanent(err)
		default:
			wait, err := r.after(f)
			if err != nil {
				return nil, err
			}
			c.logger.Warn("a request to the cloud API is sent again", "error", f, "after", wait.Round(time.Millisecond))
			if f.retryAfter > 0 {
				c.pause.until(time.Now().Add(wait)) // it is meant for all requests
			}
			if err := sleep(ctx, wait); err != nil {
				return nil, err
			}
		}
		c.costs.retries.Add(1)
	}
}

// maxBody bounds an answer: a page of the largest readings is smaller.
const maxBody = 64 << 20

// ask sends one request, and returns its answer when it is 200 and whole. Its
// errors are failures.
func (c *client) ask(ctx context.Context, path string, parameters url.Values, token string, buffer []byte) ([]byte, error) {
	u := c.base.JoinPath(path)
	u.RawQuery = parameters.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, httpclient.Redact(err)
	}
	req.Header.Set("User-Agent", httpclient.UserAgent)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	c.costs.requests.Add(1)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, lost(httpclient.Redact(err), "url")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		// The status came, and with it what the API says: the text is for people.
		text, _ := io.ReadAll(io.LimitReader(resp.Body, httpclient.MaxAnswer)) //nolint:errcheck // see above
		c.costs.bytes.Add(int64(len(text)))
		return nil, refusal(resp, text)
	}
	into := bytes.NewBuffer(buffer[:0])
	if resp.ContentLength > 0 && resp.ContentLength <= maxBody {
		into.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := into.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	c.costs.bytes.Add(n)
	switch {
	case n > maxBody:
		return nil, feed.Permanent(fmt.Errorf("the answer has more than %d bytes: %w", maxBody, errGarbage))
	case err != nil:
		return nil, lost(fmt.Errorf("the answer broke off after %d bytes: %w", n, err), "url")
	}
	return into.Bytes(), nil
}
