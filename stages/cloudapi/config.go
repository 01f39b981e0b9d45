package cloudapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// OAuth2 says how bearer tokens are got with client credentials.
type OAuth2 struct {
	TokenURL     feed.URL    `yaml:"tokenUrl" doc:"Where tokens come from; without it /oauth2/token of the API."`
	ClientID     string      `yaml:"clientId" doc:"Identifier of the client."`
	ClientSecret feed.Secret `yaml:"clientSecret" doc:"Secret of the client, read anew for each token."`
	Scopes       []string    `yaml:"scopes" doc:"Scopes to ask for; none asks for those that the server gives by itself."`
}

// TLS says whom an expectation trusts.
type TLS struct {
	CAFile string `yaml:"caFile" doc:"PEM file with certificate authorities to trust besides those of the system."`
}

// Config is the configuration of an [Expectation].
type Config struct {
	URL       feed.URL      `yaml:"url" doc:"Address of the API, to which /v1/readings is added: https://api.vendor.example."`
	OAuth2    OAuth2        `yaml:"oauth2" doc:"Client credentials (OAuth 2) for short-lived tokens."`
	TLS       TLS           `yaml:"tls" doc:"Certificates for https."`
	Plaintext bool          `yaml:"plaintext" doc:"Permit http to another host: secret, tokens and readings pass in the clear."`
	PageSize  int           `yaml:"pageSize" doc:"Most readings that a page is asked for."`
	Parallel  int           `yaml:"parallel" doc:"Most requests at a time for one read; ranges longer than an hour are read in parts."`
	Timeout   time.Duration `yaml:"timeout" doc:"Longest time of one request, from the connect to the end of the answer."`
	Patience  time.Duration `yaml:"patience" doc:"How long a page that fails is asked for again, pauses that the API asks for with it included, before the read fails."`
}

// DefaultConfig returns the defaults. URL and client have none.
func DefaultConfig() Config {
	return Config{PageSize: maxPageSize, Parallel: 4, Timeout: 30 * time.Second, Patience: 2 * time.Minute}
}

const (
	maxPageSize = 10_000
	maxParallel = 32
)

// Validate reports all that is wrong, as [feed.ConfigError]s. A URL from a file
// is checked only as far as the file can be read.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, remedy, format string, a ...any) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: fmt.Sprintf(format, a...), Remedy: remedy})
	}
	if c.URL.IsZero() {
		bad("url", "write an address such as https://api.vendor.example", "is missing")
	} else {
		c.validateURL(c.URL, "url", bad)
	}
	if !c.OAuth2.TokenURL.IsZero() {
		c.validateURL(c.OAuth2.TokenURL, "oauth2.tokenUrl", bad)
	}
	if c.OAuth2.ClientID == "" {
		bad("oauth2.clientId", "add it", "is missing")
	}
	if c.OAuth2.ClientSecret.IsZero() {
		bad("oauth2.clientSecret", "write a reference such as ${file:/run/secrets/client}", "is missing")
	}
	if u, err := c.URL.Parse(); err == nil && u.Scheme == "http" && c.TLS != (TLS{}) {
		bad("tls", "write an https address, or remove the section", "an authority is given for a connection without TLS")
	}
	if c.PageSize < 1 || c.PageSize > maxPageSize {
		bad("pageSize", fmt.Sprintf("write 1 to %d", maxPageSize), "%d is out of range", c.PageSize)
	}
	if c.Parallel < 1 || c.Parallel > maxParallel {
		bad("parallel", fmt.Sprintf("write 1 to %d", maxParallel), "%d is out of range", c.Parallel)
	}
	if c.Timeout < 10*time.Millisecond || c.Timeout > time.Hour {
		bad("timeout", "write 10ms to 1h", "%v is out of range", c.Timeout)
	}
	if c.Patience < 0 || c.Patience > 24*time.Hour {
		bad("patience", "write 0s to 24h", "%v is out of range", c.Patience)
	}
	return errors.Join(errs...)
}

func (c *Config) validateURL(address feed.URL, key string, bad func(key, remedy, format string, a ...any)) {
	const remedy = "write an address such as https://host/path"
	u, err := address.Parse()
	switch {
	case err != nil:
		// A secret file may be missing where a configuration is only checked.
		if !errors.As(err, new(*fs.PathError)) {
			bad(key, remedy, "%v", err)
		}
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		bad(key, remedy, "is no https or http address")
	case u.User != nil:
		bad(key, "use oauth2 for credentials", "holds a user")
	case u.RawQuery != "" || u.Fragment != "":
		bad(key, "remove what follows the path", "holds a query or a fragment")
	case u.Scheme == "http" && !isLoopback(u) && !c.Plaintext:
		bad(key, "write https, or plaintext: true for a network of its own", "would send secret and readings to %s in the clear", u.Hostname())
	}
}

// isLoopback reports whether an address is one of this host.
func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return ip.IsLoopback() || u.Hostname() == "localhost"
}
