// Package pgurl reads addresses of PostgreSQL databases.
package pgurl

import (
	"errors"
	"net/url"
)

// ErrNoURL says that a text is no URL. It does not quote the text, which may hold
// a password.
var ErrNoURL = errors.New("is no URL")

// WithTLS returns an address with sslmode=verify-full where its query has no
// sslmode: TLS is the default, and not, as in libpq, a wish that an attacker can
// refuse.
func WithTLS(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, ErrNoURL
	}
	if q := u.Query(); !q.Has("sslmode") {
		q.Set("sslmode", "verify-full")
		u.RawQuery = q.Encode()
	}
	return u, nil
}
