package cloudapi

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/httpclient"
)

// failure is a request that has not got what it asked for.
type failure struct {
	err        error
	status     int           // 0: there was no answer
	retryAfter time.Duration // 0: nothing was said
	passes     bool          // it may pass by itself
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// lost is a request without a whole answer, to an address that a key says. A server
// that is not trusted, or speaks no TLS, will not be or do so when it is asked again, and
// a name that nobody has is a wrong one more often than a new one.
func lost(err error, key string) error {
	var name *net.DNSError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return &failure{err: fmt.Errorf("%w (check the name in %s of cloudapi, and the proxy if there is one)", err, key)}
	case isNameRefused(err):
		return &failure{err: fmt.Errorf("%w (the server does not know the name in %s of cloudapi: check it)", err, key)}
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return &failure{err: fmt.Errorf("%w (give the authority's certificate in tls.caFile, and the name in it in %s)", err, key)}
	case errors.Is(err, http.ErrSchemeMismatch):
		return &failure{err: fmt.Errorf("%w (write http:// in %s of cloudapi, and plaintext: true when it is another host's)", err, key)}
	case errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, new(*net.DNSError)):
		// A server that starts is refused for a while, too.
		return &failure{err: fmt.Errorf("%w (when it should be there: check %s of cloudapi)", err, key), passes: true}
	}
	return &failure{err: err, passes: true}
}

// isNameRefused reports whether a server has ended the handshake since it does not know
// the name that it was asked for. Package crypto/tls keeps the type of alerts to itself.
func isNameRefused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && op.Err.Error() == "tls: unrecognized name"
}

// passing reports whether a status may pass by itself (RFC 9110, section 15).
func passing(status int) bool {
	return status >= 500 && status != http.StatusNotImplemented || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status == http.StatusTooEarly
}

// refusal makes a failure of an answer that is not 200.
func refusal(resp *http.Response, text []byte) error {
	status := resp.StatusCode
	message := fmt.Sprintf("the API answered %d %s", status, http.StatusText(status))
	remedy := ""
	switch {
	case status/100 == 3:
		message += " to " + feed.NewURL(resp.Header.Get("Location")).String()
		remedy = "redirects are not followed: write that address in url"
	case status == http.StatusUnauthorized:
		remedy = "it refuses a token that it has just given: check that oauth2.tokenUrl belongs to url, and the clock of its host"
	case status == http.StatusForbidden:
		remedy = "the client must be permitted to read readings: check oauth2.scopes, and the client's rights at the vendor"
	case status == http.StatusNotFound || status == http.StatusGone:
		remedy = "check url: /v1/readings and /v1/watermark are added to it"
	case status == http.StatusBadRequest:
		remedy = "the API does not know such requests: check that url is of the API that docs/cloud-api.md describes"
	}
	if said := httpclient.Shown(text); said != "" {
		message += ": " + said
	}
	if remedy != "" {
		message += " (" + remedy + ")"
	}
	return &failure{
		err:    errors.New(message),
		status: status, passes: passing(status), retryAfter: httpclient.RetryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// tokenFailure makes a failure of a token that was not got from where a key says.
func tokenFailure(err error, key string) error {
	var se *httpclient.StatusError
	switch {
	case errors.As(err, &se) && passing(se.Status):
		return &failure{err: err, retryAfter: se.RetryAfter, passes: true}
	case errors.As(err, &se), errors.Is(err, httpclient.ErrNoToken), errors.As(err, new(*fs.PathError)):
		remedy := "check oauth2.tokenUrl, oauth2.clientId and oauth2.clientSecret"
		if key == "url" {
			remedy = "check url of cloudapi, to which /oauth2/token is added unless oauth2.tokenUrl says otherwise, oauth2.clientId and oauth2.clientSecret"
		}
		return &failure{err: fmt.Errorf("%w (%s)", err, remedy)}
	}
	return lost(err, key)
}
