package amqp

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Auth is how a connection authenticates.
type Auth string

// The ways to authenticate.
const (
	// AuthPassword sends user name and password.
	AuthPassword Auth = "password"
	// AuthExternal lets the client certificate speak for the user.
	AuthExternal Auth = "external"
)

// Values returns all ways.
func (Auth) Values() []string { return []string{string(AuthPassword), string(AuthExternal)} }

// TLS are the files of an amqps connection. They are read at each connect.
type TLS struct {
	CAFile     string `yaml:"caFile" doc:"PEM file with the certificate authorities to trust instead of the system's."`
	CertFile   string `yaml:"certFile" doc:"PEM file with the client certificate."`
	KeyFile    string `yaml:"keyFile" doc:"PEM file with the key of the client certificate."`
	ServerName string `yaml:"serverName" doc:"Name that the broker's certificate must bear instead of the URL's host."`
}

// problems gathers configuration errors.
type problems []error

func (p *problems) add(key, problem, remedy string) {
	*p = append(*p, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy})
}

// checkAccess validates what source and sink share.
func (p *problems) checkAccess(a access) {
	scheme := ""
	if a.url.IsZero() {
		p.add("url", "is missing", "write amqp://host:5672/vhost or amqps://host:5671/vhost")
	} else if u, err := a.url.Parse(); err != nil {
		// A file of the URL may appear later; a text that is no URL never heals.
		if a.url.String() != "[redacted]" || !isFileError(err) {
			p.add("url", err.Error(), "write amqp://host:5672/vhost or amqps://host:5671/vhost")
		}
	} else {
		scheme = u.Scheme
		if scheme != "amqp" && scheme != "amqps" {
			p.add("url", fmt.Sprintf("has the scheme %q", scheme), "use amqp:// or amqps://")
		} else if u.Hostname() == "" {
			p.add("url", "names no host", "write amqp://host:5672/vhost")
		}
		if strings.Contains(u.EscapedPath(), "@") {
			p.add("url", "has an @ in its virtual host, as if the password were not escaped", "write a / of the password as %2F and an @ as %40, and an @ that is the virtual host's as %40")
		}
		if u.RawQuery != "" {
			p.add("url", "has a query", "use the keys heartbeat, connectTimeout, auth and tls instead")
		}
	}
	switch a.auth {
	case AuthPassword:
	case AuthExternal:
		if a.tls.CertFile == "" {
			p.add("tls.certFile", "is missing", "auth external needs a client certificate")
		}
		if !a.username.IsZero() || !a.password.IsZero() {
			p.add("auth", "external takes neither username nor password", "remove them, or use auth: password")
		}
	default:
		p.add("auth", fmt.Sprintf("%q is unknown", string(a.auth)), "use password or external")
	}
	if (a.tls.CertFile == "") != (a.tls.KeyFile == "") {
		p.add("tls", "certFile and keyFile belong together", "give both or neither")
	}
	if a.tls != (TLS{}) && scheme == "amqp" {
		p.add("tls", "is set, but the url is not amqps", "write amqps://host:5671/vhost")
	}
	if a.connectTimeout <= 0 {
		p.add("connectTimeout", "must be positive", "the default is 10s")
	}
	if a.heartbeat < 2*time.Second || a.heartbeat > math.MaxUint16*time.Second {
		p.add("heartbeat", fmt.Sprintf("is %v", a.heartbeat), "use 2s to 65535s; the default is 10s")
	}
}

// checkName validates an AMQP short string: at most 255 bytes.
func (p *problems) checkName(key, name string) {
	if len(name) > maxShortString {
		p.add(key, fmt.Sprintf("has %d bytes", len(name)), "AMQP names have at most 255 bytes")
	}
}

// maxShortString is the length limit of names, routing keys and most
// properties in AMQP.
const maxShortString = 255
