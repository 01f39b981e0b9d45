package amqp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

// dialer opens links.
type dialer func(ctx context.Context) (link, error)

// access says how to reach a broker.
type access struct {
	url                feed.URL
	username, password feed.Secret
	auth               Auth
	tls                TLS
	connectTimeout     time.Duration
	heartbeat          time.Duration
	name               string // shown in the broker's list of connections
}

// dial connects, authenticates and opens the virtual host. Credentials and
// certificates are read anew each time, so that rotated ones are picked up.
func (a access) dial(ctx context.Context) (link, error) {
	u, err := a.url.Parse()
	if err != nil {
		return nil, fmt.Errorf("connect to broker: url: %w", err)
	}
	address := hostPort(u)
	ctx, cancel := context.WithTimeout(ctx, a.connectTimeout)
	defer cancel()

	sasl, err := a.sasl(u)
	if err != nil {
		return nil, fmt.Errorf("connect to broker %s: %w", address, err)
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to broker: %w", err)
	}
	// The handshake does not look at the context: closing the socket ends it.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	l, err := a.open(ctx, u, raw, sasl)
	if !stop() && err == nil {
		_ = l.Close()
		err = ctx.Err()
	}
	if err != nil {
		_ = raw.Close()
		err = explainRefusal(err, vhostOf(u))
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return nil, fmt.Errorf("connect to broker %s: %w", address, err)
	}
	return l, nil
}

func (a access) open(ctx context.Context, u *url.URL, raw net.Conn, sasl amqp091.Authentication) (link, error) {
	conn := raw
	if u.Scheme == "amqps" {
		config, err := a.tls.config(u.Hostname())
		if err != nil {
			return nil, err
		}
		client := tls.Client(raw, config)
		if err := client.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("tls handshake: %w", err)
		}
		conn = client
	}
	properties := amqp091.NewConnectionProperties()
	properties.SetClientConnectionName(a.name)
	sock := newSocket(conn, raw, 2*a.heartbeat)
	c, err := amqp091.Open(sock, amqp091.Config{
		SASL:       []amqp091.Authentication{sasl},
		Vhost:      vhostOf(u),
		Heartbeat:  a.heartbeat,
		ChannelMax: 1024,
		FrameSize:  maxFrame,
		Locale:     "en_US",
		Properties: properties,
	})
	if err != nil {
		sock.Abort()
		return nil, err
	}
	l := newClientLink(c, sock)
	// The broker sends something, if only a heartbeat, twice per interval.
	if err := sock.keepAlive(2 * c.Config.Heartbeat); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// maxFrame is the largest frame that we offer, RabbitMQ's own default.
const maxFrame = 128 << 10

// sasl returns the credentials for one connection.
func (a access) sasl(u *url.URL) (amqp091.Authentication, error) {
	if a.auth == AuthExternal {
		return &amqp091.ExternalAuth{}, nil
	}
	// RabbitMQ's own default user, which it accepts from its own host only.
	username, password := "guest", "guest"
	if u.User != nil {
		username = u.User.Username()
		password, _ = u.User.Password()
	}
	for _, o := range []struct {
		key    string
		secret feed.Secret
		target *string
	}{{"username", a.username, &username}, {"password", a.password, &password}} {
		if o.secret.IsZero() {
			continue
		}
		text, err := o.secret.Reveal()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.key, err)
		}
		*o.target = text
	}
	return &amqp091.PlainAuth{Username: username, Password: password}, nil
}

// config reads the certificates.
func (t TLS) config(host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if t.ServerName != "" {
		config.ServerName = t.ServerName
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.caFile: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.caFile: %s holds no PEM certificate", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.certFile: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// explainRefusal adds what to do about the usual refusals.
func explainRefusal(err error, vhost string) error {
	var e *amqp091.Error
	switch {
	case errors.Is(err, amqp091.ErrSASL):
		return fmt.Errorf("%w: the broker does not offer the mechanism: for auth external enable the plugin rabbitmq_auth_mechanism_ssl and the mechanism EXTERNAL", err)
	case !errors.As(err, &e):
		return err
	case e.Code == amqp091.FrameError:
		return explainEnd(e)
	case e.Code == amqp091.NotAllowed:
		return fmt.Errorf("%w: virtual host %q does not exist or the user has no access to it", err, vhost)
	case e.Code == amqp091.AccessRefused:
		return fmt.Errorf("%w: check username and password", err)
	}
	return err
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "5672"
		if u.Scheme == "amqps" {
			port = "5671"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// vhostOf returns the virtual host: the path without its first slash. No path,
// or a bare slash, is the virtual host "/".
func vhostOf(u *url.URL) string {
	if v := strings.TrimPrefix(u.Path, "/"); v != "" {
		return v
	}
	return "/"
}
