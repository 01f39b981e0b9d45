package testenv

import (
	"testing"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// A Broker is a Mosquitto broker that belongs to one test.
type Broker struct {
	Addr string // host and port

	t      testing.TB
	tls    bool
	server *server.Mosquitto
}

// MosquittoOption changes a broker.
type MosquittoOption func(*server.MosquittoConfig)

// WithMosquittoSettings adds lines to the broker's mosquitto.conf, such as "max_packet_size 1000" or
// "acl_file /path/to/acl". They win over the defaults.
func WithMosquittoSettings(lines ...string) MosquittoOption {
	return func(c *server.MosquittoConfig) { c.Settings = append(c.Settings, lines...) }
}

// WithMosquittoTLS makes the broker listen with TLS only. Clients must show a certificate of the CA.
func WithMosquittoTLS(files *Certificates) MosquittoOption {
	return func(c *server.MosquittoConfig) { c.TLS = files.server() }
}

// Mosquitto starts a broker, which takes milliseconds, and stops it when the test ends. Unless changed by options it lets
// anyone do anything, keeps all in memory, and limits neither what is queued nor what is in flight.
func Mosquitto(t testing.TB, options ...MosquittoOption) *Broker {
	t.Helper()
	needServers(t)
	var config server.MosquittoConfig
	for _, option := range options {
		option(&config)
	}
	s := start(t, func(dir string) (*server.Mosquitto, error) { return server.NewMosquitto(dir, config) })
	return &Broker{Addr: s.Addr(), t: t, tls: config.TLS != nil, server: s}
}

// URL is where clients connect to: mqtt://, or mqtts:// with TLS.
func (b *Broker) URL() string {
	if b.tls {
		return "mqtts://" + b.Addr
	}
	return "mqtt://" + b.Addr
}

// Start starts the broker after Stop or Kill, and returns when it takes connections. Sessions and retained messages are
// lost unless persistence was turned on.
func (b *Broker) Start() { b.t.Helper(); check(b.t, b.server.Start(within(b.t, startTimeout))) }

// Stop ends the broker in order, and returns when it has ended.
func (b *Broker) Stop() { b.t.Helper(); check(b.t, b.server.Stop()) }

// Kill ends the broker with SIGKILL, and returns when it has ended.
func (b *Broker) Kill() { b.t.Helper(); check(b.t, b.server.Kill()) }

// Pause freezes the broker with SIGSTOP: connections stay open, and nothing answers.
func (b *Broker) Pause() { b.t.Helper(); check(b.t, b.server.Pause()) }

// Resume ends a Pause.
func (b *Broker) Resume() { b.t.Helper(); check(b.t, b.server.Resume()) }
