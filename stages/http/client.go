package http

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/klauspost/compress/gzip"

	"github.com/kraft-edge/datafeed/feed"
)

const (
	// maxAnswer is how much of an answer is read: enough for a connection to be
	// used again in all ordinary cases.
	maxAnswer = 64 << 10
	// shownAnswer is how much of it an error shows.
	shownAnswer = 200
)

// client sends requests, each once.
type client struct {
	config SinkConfig
	http   nethttp.Client
	tokens *tokens // nil: not by OAuth 2
}

const userAgent = "datafeed"

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
	if c.OAuth2 != nil {
		cl.tokens = &tokens{config: c.OAuth2, http: &cl.http}
	}
	return cl, nil
}

// clientConfig reads the authorities now, and a certificate of one's own at each
// connection, so that a renewed one counts.
func (t ClientTLS) clientConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read tls.caFile: %w", err)
		}
		if c.RootCAs, err = x509.SystemCertPool(); err != nil {
			c.RootCAs = x509.NewCertPool() // a minimal image may have none
		}
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("read tls.caFile: no PEM certificate in " + t.CAFile)
		}
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
		return nil, redact(err)
	}
	req.Header.Set("User-Agent", userAgent)
	switch {
	case c.tokens != nil:
		token, err := c.tokens.get(ctx)
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
		return answer{}, redact(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == nethttp.StatusUnauthorized && c.tokens != nil {
		c.tokens.drop() // the next try has another one
	}
	a := answer{status: resp.StatusCode, retryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), time.Now())}
	if resp.StatusCode/100 == 3 {
		a.location = feed.NewURL(resp.Header.Get("Location")).String()
	}
	// The status came, and with it what the receiver says: the text is for people.
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) //nolint:errcheck // see above
	a.text = shown(text)
	return a, nil
}

// redact removes the URL from an error: its query may be a credential.
func redact(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// shown makes a line of what a receiver wrote.
func shown(text []byte) string {
	if len(text) > shownAnswer {
		text = text[:shownAnswer]
	}
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(text), "�"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}

func (c *client) close() { c.http.CloseIdleConnections() }
