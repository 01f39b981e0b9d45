package http

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	nethttp "net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/httpclient"
)

// client sends requests, each once.
type client struct {
	config SinkConfig
	http   nethttp.Client
	tokens *httpclient.Tokens // nil: not by OAuth 2
}

func newClient(c SinkConfig) (*client, error) {
	secure, err := c.TLS.clientConfig()
	if err != nil {
		return nil, err
	}
	transport := &nethttp.Transport{
		Proxy:                 nethttp.ProxyFromEnvironment,
		TLSClientConfig:       secure,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   1,
		IdleConnTimeout:       idlePatience,
		ResponseHeaderTimeout: c.Timeout,
		DisableCompression:    true,
	}
	cl := &client{config: c, http: nethttp.Client{
		Transport:     transport,
		Timeout:       c.Timeout,
		CheckRedirect: func(*nethttp.Request, []*nethttp.Request) error { return nethttp.ErrUseLastResponse },
	}}
	if o := c.OAuth2; o != nil {
		cl.tokens = httpclient.NewTokens(httpclient.Credentials{TokenURL: o.TokenURL, Key: "oauth2.tokenUrl", ClientID: o.ClientID, ClientSecret: o.ClientSecret, Scopes: o.Scopes}, &cl.http)
	}
	return cl, nil
}

// clientConfig reads the authorities now, and a certificate of one's own at each
// connection, so that a renewed one counts.
func (t ClientTLS) clientConfig() (*tls.Config, error) {
	c, err := httpclient.TLS(t.CAFile)
	if err != nil {
		return nil, err
	}
	if t.CertFile != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("read tls.certFile and tls.keyFile: %w", err)
			}
			return &pair, nil
		}
	}
	return c, nil
}

// content is what a request carries.
type content struct {
	body        []byte
	contentType string
	topic       string
	key         string // Idempotency-Key
}

// send sends a request. An error says that there was no answer, so that it is
// not known whether the receiver has got it.
func (c *client) send(ctx context.Context, what content) (answer, error) {
	body := what.body
	if c.config.Compression == CompressionGzip {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		// A buffer takes everything.
		_, _ = z.Write(body)
		_ = z.Close()
		body = zipped.Bytes()
	}
	req, err := c.request(ctx, c.config.Method, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for name, value := range c.config.Headers {
		req.Header.Set(name, value)
	}
	if what.contentType != "" {
		req.Header.Set("Content-Type", what.contentType)
	}
	if c.config.Compression == CompressionGzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	if c.config.TopicHeader != "" {
		req.Header.Set(c.config.TopicHeader, what.topic)
	}
	req.Header.Set("Idempotency-Key", what.key)
	return c.do(req)
}

// ask sends a request without content.
func (c *client) ask(ctx context.Context) (answer, error) {
	req, err := c.request(ctx, nethttp.MethodHead, nil)
	if err != nil {
		return answer{}, err
	}
	return c.do(req)
}

// request makes a request with the credentials, which are read now.
func (c *client) request(ctx context.Context, method string, body io.Reader) (*nethttp.Request, error) {
	u, err := c.config.URL.Parse()
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	req, err := nethttp.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, httpclient.Redact(err)
	}
	req.Header.Set("User-Agent", httpclient.UserAgent)
	switch {
	case c.tokens != nil:
		token, err := c.tokens.Get(ctx)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	case !c.config.BearerToken.IsZero():
		token, err := c.config.BearerToken.Reveal()
		if err != nil {
			return nil, fmt.Errorf("bearerToken: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	case c.config.Username != "":
		password, err := c.config.Password.Reveal()
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		req.SetBasicAuth(c.config.Username, password)
	}
	return req, nil
}

func (c *client) do(req *nethttp.Request) (answer, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, httpclient.Redact(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == nethttp.StatusUnauthorized && c.tokens != nil {
		c.tokens.Drop(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")) // the next try has another one
	}
	a := answer{status: resp.StatusCode, retryAfter: min(httpclient.RetryAfter(resp.Header.Get("Retry-After"), time.Now()), longestRetryAfter)}
	if resp.StatusCode/100 == 3 {
		a.location = feed.NewURL(resp.Header.Get("Location")).String()
	}
	// The status came, and with it what the receiver says: the text is for people.
	text, _ := io.ReadAll(io.LimitReader(resp.Body, httpclient.MaxAnswer)) //nolint:errcheck // see above
	a.text = httpclient.Shown(text)
	return a, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }
