package http

import (
	"errors"
	"fmt"
	"io/fs"
	nethttp "net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/kraft-edge/datafeed/feed"
)

// Body says what a request of the sink holds.
type Body string

// The bodies.
const (
	BodySingle Body = "single"
	BodyLines  Body = "lines"
	BodyArray  Body = "array"
)

// Values returns all bodies.
func (Body) Values() []string {
	return []string{string(BodySingle), string(BodyLines), string(BodyArray)}
}

// Compression is how the sink compresses bodies.
type Compression string

// The compressions.
const (
	CompressionNone Compression = "none"
	CompressionGzip Compression = "gzip"
)

// Values returns all compressions.
func (Compression) Values() []string {
	return []string{string(CompressionNone), string(CompressionGzip)}
}

// ClientTLS says whom the sink trusts, and who it is.
type ClientTLS struct {
	CAFile   string `yaml:"caFile" doc:"PEM file with certificate authorities to trust besides those of the system."`
	CertFile string `yaml:"certFile" doc:"PEM file of the client's certificate and its chain, read anew at each connection."`
	KeyFile  string `yaml:"keyFile" doc:"PEM file of the client's private key."`
}

// OAuth2 says how the sink gets bearer tokens with client credentials.
type OAuth2 struct {
	TokenURL     feed.URL    `yaml:"tokenUrl" doc:"Where tokens come from; https, or http."`
	ClientID     string      `yaml:"clientId" doc:"Identifier of the client."`
	ClientSecret feed.Secret `yaml:"clientSecret" doc:"Secret of the client, read anew for each token."`
	Scopes       []string    `yaml:"scopes" doc:"Scopes to ask for; none asks for those that the server gives by itself."`
}

// SinkConfig is the configuration of a [Sink].
type SinkConfig struct {
	URL         feed.URL          `yaml:"url" doc:"Where to send to; https, or http."`
	Method      string            `yaml:"method" doc:"Method of the requests: POST or PUT."`
	Body        Body              `yaml:"body" doc:"What a request holds: single is the payload of one message; lines (NDJSON) and array (a JSON array) are those of a batch, which must be JSON."`
	TopicHeader string            `yaml:"topicHeader" doc:"Header that tells the topic, with body single; empty sends none."`
	Headers     map[string]string `yaml:"headers" doc:"Further headers, the same in each request."`
	BearerToken feed.Secret       `yaml:"bearerToken" doc:"Token to send (Authorization: Bearer), read anew for each request."`
	OAuth2      *OAuth2           `yaml:"oauth2" doc:"Client credentials (OAuth 2) for short-lived tokens, instead of bearerToken."`
	Username    string            `yaml:"username" doc:"User name for basic authentication."`
	Password    feed.Secret       `yaml:"password" doc:"Password for basic authentication, read anew for each request."`
	TLS         ClientTLS         `yaml:"tls" doc:"Certificates for https."`
	Compression Compression       `yaml:"compression" doc:"How bodies are compressed: none or gzip; not every receiver takes gzip."`
	Timeout     time.Duration     `yaml:"timeout" doc:"Longest time of one request, from the connect to the end of the answer."`
}

// DefaultSinkConfig returns the defaults. The URL has none.
func DefaultSinkConfig() SinkConfig {
	return SinkConfig{Method: "POST", Body: BodySingle, Compression: CompressionNone, Timeout: 30 * time.Second}
}

// Durable is true: the receiver's 2xx is taken for a promise.
func (c *SinkConfig) Durable() bool { return true }

// Reads returns nothing: a sink reads from nowhere.
func (c *SinkConfig) Reads() []string { return nil }

// Writes returns the URL without credentials and query.
func (c *SinkConfig) Writes() []string {
	u, err := c.URL.Parse()
	if err != nil {
		return nil
	}
	return []string{(&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()}
}

// ownHeaders are made by the sink.
var ownHeaders = []string{"Authorization", "Content-Encoding", "Content-Length", "Content-Type", "Host", "Idempotency-Key", "Transfer-Encoding"}

// Validate reports all that is wrong, as [feed.ConfigError]s. A URL from a file
// is checked only as far as the file can be read.
func (c *SinkConfig) Validate() error {
	var errs []error
	bad := func(key, remedy, format string, a ...any) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: fmt.Sprintf(format, a...), Remedy: remedy})
	}
	validateURL(c.URL, "url", bad)
	switch c.Method {
	case "POST", "PUT":
	default:
		bad("method", "write POST or PUT", "%q is unknown", c.Method)
	}
	switch c.Body {
	case BodySingle, BodyLines, BodyArray:
	default:
		bad("body", "write single, lines or array", "%q is unknown", string(c.Body))
	}
	switch c.Compression {
	case CompressionNone, CompressionGzip:
	default:
		bad("compression", "write none or gzip", "%q is unknown", string(c.Compression))
	}
	for name, value := range c.Headers {
		key := fmt.Sprintf("headers[%q]", name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			bad(key, "write a name such as X-Plant", "is no name of a header")
		case !httpguts.ValidHeaderFieldValue(value):
			bad(key, "remove control characters", "has a value that no header can have")
		case isOwnHeader(name):
			bad(key, "remove it", "is a header that the sink makes itself")
		}
	}
	switch {
	case c.TopicHeader == "":
	case !httpguts.ValidHeaderFieldName(c.TopicHeader) || isOwnHeader(c.TopicHeader):
		bad("topicHeader", "write a name such as X-Topic", "%q is no name of a header that could tell the topic", c.TopicHeader)
	case c.Body != BodySingle:
		bad("topicHeader", "write body: single, or remove it", "messages of a batch may have different topics")
	}
	c.validateOAuth2(bad)
	switch basic := c.Username != "" || !c.Password.IsZero(); {
	case basic && !c.BearerToken.IsZero():
		bad("bearerToken", "use one of the two", "is given together with username and password")
	case c.Username == "" && !c.Password.IsZero():
		bad("username", "add the user name", "is missing for the password")
	}
	if u, err := c.URL.Parse(); err == nil && u.Scheme == "http" && c.TLS != (ClientTLS{}) {
		bad("tls", "write an https address, or remove the section", "certificates are given for a connection without TLS")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		bad("tls", "give both certFile and keyFile, or neither", "a certificate needs its key, and a key its certificate")
	}
	if c.Timeout < 10*time.Millisecond || c.Timeout > time.Hour {
		bad("timeout", "write 10ms to 1h", "%v is out of range", c.Timeout)
	}
	return errors.Join(errs...)
}

func (c *SinkConfig) validateOAuth2(bad func(key, remedy, format string, a ...any)) {
	o := c.OAuth2
	if o == nil {
		return
	}
	validateURL(o.TokenURL, "oauth2.tokenUrl", bad)
	if o.ClientID == "" {
		bad("oauth2.clientId", "add it", "is missing")
	}
	if o.ClientSecret.IsZero() {
		bad("oauth2.clientSecret", "write a reference such as ${file:/run/secrets/client}", "is missing")
	}
	if !c.BearerToken.IsZero() || c.Username != "" {
		bad("oauth2", "use one of the two", "is given together with bearerToken or username")
	}
}

func validateURL(address feed.URL, key string, bad func(key, remedy, format string, a ...any)) {
	const remedy = "write an address such as https://host/path"
	if address.IsZero() {
		bad(key, remedy, "is missing")
		return
	}
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
		bad(key, "use the keys for credentials", "holds a user")
	}
}

func isOwnHeader(name string) bool {
	return slices.Contains(ownHeaders, nethttp.CanonicalHeaderKey(name))
}
