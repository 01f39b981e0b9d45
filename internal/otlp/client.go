package otlp

import (
	"crypto/tls"
	"fmt"
	"net/http"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/httpclient"
)

// newClient returns a client that trusts whom the configuration says, and adds its
// headers.
func newClient(c config.OTLP) (*http.Client, error) {
	secure, err := httpclient.TLS(c.TLS.CAFile)
	if err != nil {
		return nil, err
	}
	if c.TLS.CertFile != "" {
		secure.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("read tls.certFile and tls.keyFile: %w", err)
			}
			return &pair, nil
		}
	}
	return &http.Client{
		Timeout: longestExport,
		Transport: &withHeaders{headers: c.Headers, next: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: secure, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: longestExport * 9,
		}},
		// A redirect would take the headers, which may be credentials, to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// withHeaders adds headers to requests. It reads secrets anew for each, so that a
// renewed one counts.
type withHeaders struct {
	headers map[string]feed.Secret
	next    *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (w *withHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context()) // a RoundTripper must not change what it was given
	for name, secret := range w.headers {
		value, err := secret.Reveal()
		if err != nil {
			return nil, fmt.Errorf("otlp.headers.%s: %w", name, err)
		}
		r.Header.Set(name, value)
	}
	return w.next.RoundTrip(r)
}

// CloseIdleConnections has http.Client find those of the transport.
func (w *withHeaders) CloseIdleConnections() { w.next.CloseIdleConnections() }
