package http

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/kraft-edge/datafeed/feed"
)

// Split says how the body of a request becomes messages.
type Split string

// The splits.
const (
	SplitNone  Split = "none"
	SplitLines Split = "lines"
	SplitArray Split = "array"
)

// Values returns all splits.
func (Split) Values() []string {
	return []string{string(SplitNone), string(SplitLines), string(SplitArray)}
}

// ServerTLS makes a source speak TLS.
type ServerTLS struct {
	CertFile     string `yaml:"certFile" doc:"PEM file of the server's certificate and its chain, read anew at each connection."`
	KeyFile      string `yaml:"keyFile" doc:"PEM file of the server's private key."`
	ClientCAFile string `yaml:"clientCAFile" doc:"PEM file of the authorities that sign clients' certificates; each client must then have one."`
}

// SourceConfig is the configuration of a [Source].
type SourceConfig struct {
	Listen          string        `yaml:"listen" doc:"Address to listen on, such as :8443 or 127.0.0.1:8080."`
	Path            string        `yaml:"path" doc:"Path of the requests to take; one that ends with a slash takes all below it, and what follows is the topic."`
	Topic           string        `yaml:"topic" doc:"Topic of messages whose path gives none."`
	BearerToken     feed.Secret   `yaml:"bearerToken" doc:"Token that each request must bear (Authorization: Bearer), read anew for each."`
	TLS             ServerTLS     `yaml:"tls" doc:"Certificates; without them the source speaks plain HTTP."`
	Anonymous       bool          `yaml:"anonymous" doc:"Take requests from anybody who can reach the address."`
	Split           Split         `yaml:"split" doc:"What is a message: none is the whole body, lines each line of NDJSON, array each element of a JSON array."`
	Headers         []string      `yaml:"headers" doc:"Headers of the request that become metadata, under their names in lower case."`
	MaxBodyBytes    feed.Size     `yaml:"maxBodyBytes" doc:"Largest body of a request, after decompression."`
	MaxPending      int           `yaml:"maxPending" doc:"Most messages that wait for their end, in all requests together; beyond it requests are answered with 503."`
	MaxPendingBytes feed.Size     `yaml:"maxPendingBytes" doc:"Most bytes of memory for requests, from when they are read until their messages have ended; beyond it they are answered with 503. At least twice maxBodyBytes and 9 MiB, which is what reading takes at most, and with split 128 bytes for each message of a body."`
	Timeout         time.Duration `yaml:"timeout" doc:"How long a body may take to arrive, and its messages to become durable, before the request is answered with 503."`
}

// DefaultSourceConfig returns the defaults. The address has none.
func DefaultSourceConfig() SourceConfig {
	return SourceConfig{
		Path:            "/",
		Split:           SplitNone,
		MaxBodyBytes:    4 * feed.MiB,
		MaxPending:      10_000,
		MaxPendingBytes: 32 * feed.MiB,
		Timeout:         30 * time.Second,
	}
}

// Window is how many messages are unsettled at most.
func (c *SourceConfig) Window() int { return c.MaxPending }

// Reads returns nothing: what clients send comes from nowhere that a feed could
// write to without being such a client.
func (c *SourceConfig) Reads() []string { return nil }

// Writes returns nothing: a source writes nowhere.
func (c *SourceConfig) Writes() []string { return nil }

// Validate reports all that is wrong, as [feed.ConfigError]s. It does no I/O.
func (c *SourceConfig) Validate() error {
	var errs []error
	bad := func(key, remedy, format string, a ...any) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: fmt.Sprintf(format, a...), Remedy: remedy})
	}
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case c.Listen == "":
		bad("listen", "write an address such as :8443", "is missing")
	case err != nil:
		bad("listen", "write host and port, such as 127.0.0.1:8080 or :8443", "%q is no address", c.Listen)
	case c.BearerToken.IsZero() && c.TLS.ClientCAFile == "" && !c.Anonymous && !loopback(host):
		bad("bearerToken", "give bearerToken or tls.clientCAFile, listen on 127.0.0.1, or write anonymous: true", "anybody who can reach the address could send messages")
	case c.Anonymous && (!c.BearerToken.IsZero() || c.TLS.ClientCAFile != ""):
		bad("anonymous", "remove it, or the token and clientCAFile", "contradicts the key that says who may send")
	}
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, "?#{}") {
		bad("path", "write a path such as /telemetry or /telemetry/", "%q is no path of a URL", c.Path)
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		bad("tls", "give both certFile and keyFile", "a certificate needs its key, and a key its certificate")
	}
	if c.TLS.ClientCAFile != "" && c.TLS.CertFile == "" {
		bad("tls.clientCAFile", "give certFile and keyFile too", "clients show a certificate only to a server that has one")
	}
	switch c.Split {
	case SplitNone, SplitLines, SplitArray:
	default:
		bad("split", "write none, lines or array", "%q is unknown", string(c.Split))
	}
	for i, name := range c.Headers {
		key := fmt.Sprintf("headers[%d]", i)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			bad(key, "write a name such as X-Line", "%q is no name of a header", name)
		case feed.ReservedMetadata(strings.ToLower(name)):
			bad(key, "choose another header", "metadata %q has a meaning of its own", strings.ToLower(name))
		case strings.EqualFold(name, "Authorization"):
			bad(key, "remove it", "a credential must not become metadata")
		}
	}
	if c.MaxBodyBytes < 1 || c.MaxBodyBytes > feed.GiB {
		bad("maxBodyBytes", "write 1B to 1GiB", "%v is out of range", c.MaxBodyBytes)
	}
	if least := c.leastPendingBytes(); c.MaxPendingBytes < least {
		bad("maxPendingBytes", fmt.Sprintf("write at least %dB, or lower maxBodyBytes or maxPending", int64(least)),
			"%v is too little for one request with a body of %v and as many messages as maxPending and split allow", c.MaxPendingBytes, c.MaxBodyBytes)
	}
	if c.MaxPending < 1 {
		bad("maxPending", "write a number such as 10000", "%d messages are none", c.MaxPending)
	}
	if c.Timeout < 10*time.Millisecond || c.Timeout > time.Hour {
		bad("timeout", "write 10ms to 1h", "%v is out of range", c.Timeout)
	}
	return errors.Join(errs...)
}

// leastPendingBytes is the most memory that one request takes: for a body that
// is decoded, and copied while it arrives, or then for its messages. Each of them
// but the last has two bytes of the body, and their list room for twice as many.
func (c *SourceConfig) leastPendingBytes() feed.Size {
	messages := feed.Size(1)
	if c.Split != SplitNone {
		messages = min(feed.Size(c.MaxPending), max(c.MaxBodyBytes+1, leastPayloads))
	}
	return max(2*c.MaxBodyBytes+zstdMemory, c.MaxBodyBytes+messages*messageMemory)
}

// loopback reports whether only this machine can reach a host to listen on.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
