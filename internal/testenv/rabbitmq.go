package testenv

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
	"github.com/kraft-edge/datafeed/internal/testenv/share"
)

// apiTimeout bounds one call of RabbitMQ's HTTP API or of rabbitmqctl.
const apiTimeout = time.Minute

// A Vhost is a virtual host of a RabbitMQ node that belongs to one test.
type Vhost struct {
	Addr     string // host and port of the node
	Vhost    string // its name
	User     string
	Password string

	t   testing.TB
	api *server.RabbitMQAPI
}

// RabbitMQ returns a fresh vhost on the shared node, which is started when it does not run yet. The vhost is deleted when
// the test ends. A test that breaks the node, or needs all of it, takes PrivateRabbitMQ.
func RabbitMQ(t testing.TB) *Vhost {
	t.Helper()
	needServers(t)
	grant := acquire(t, share.RabbitMQ)
	api := server.NewRabbitMQAPI(grant.API, grant.User, grant.Password)
	return newVhost(t, api, grant.Addr, grant.User, grant.Password)
}

// newVhost creates a vhost that is deleted when the test ends.
func newVhost(t testing.TB, api *server.RabbitMQAPI, addr, user, password string) *Vhost {
	t.Helper()
	v := &Vhost{
		Addr: addr, User: user, Password: password, t: t, api: api,
		Vhost: strings.ReplaceAll(t.Name(), "/", ".") + "." + rand.Text()[:8],
	}
	check(t, api.CreateVhost(within(t, apiTimeout), v.Vhost))
	t.Cleanup(func() {
		if err := api.DeleteVhost(within(t, apiTimeout), v.Vhost); err != nil {
			t.Errorf("testenv: %v", err)
		}
	})
	return v
}

// URL is where clients connect to, with user, password and vhost.
func (v *Vhost) URL() string { return v.URLAt(v.Addr) }

// URLAt is URL with another host and port, for example those of a Proxy.
func (v *Vhost) URLAt(addr string) string {
	u := url.URL{
		Scheme: "amqp", User: url.UserPassword(v.User, v.Password), Host: addr,
		Path: "/" + v.Vhost, RawPath: server.Path(v.Vhost),
	}
	return u.String()
}

// Queue returns how many messages a queue holds, unacknowledged ones included, and how many of them are unacknowledged.
// The node counts twice a second: wait for a figure with Eventually. Right after it was declared, a queue may be unknown.
func (v *Vhost) Queue(name string) (messages, unacked int, err error) {
	info, err := v.QueueInfo(name)
	return info.Messages, info.Unacked, err
}

// QueueInfo is Queue with more figures.
func (v *Vhost) QueueInfo(name string) (server.QueueInfo, error) {
	return v.api.Queue(within(v.t, apiTimeout), v.Vhost, name)
}

// Connections returns how many connections are open in the vhost. One that was opened or closed within the last second
// may not be counted rightly.
func (v *Vhost) Connections() (int, error) {
	names, err := v.api.Connections(within(v.t, apiTimeout), v.Vhost)
	return len(names), err
}

// CloseConnections has the node close all connections that are open in the vhost, with CONNECTION_FORCED (320), and
// returns how many there were. It fails the test when there is none within a minute, as the fault that the test meant
// to cause did not happen then.
func (v *Vhost) CloseConnections(t testing.TB) int {
	t.Helper()
	var names []string
	Eventually(t, time.Minute, "a connection to close", func() bool {
		var err error
		names, err = v.api.Connections(within(t, apiTimeout), v.Vhost)
		check(t, err)
		return len(names) > 0
	})
	for _, name := range names {
		check(t, v.api.CloseConnection(within(t, apiTimeout), name))
	}
	return len(names)
}

// DeleteQueue deletes a queue from the outside.
func (v *Vhost) DeleteQueue(t testing.TB, name string) {
	t.Helper()
	v.Do(t, http.MethodDelete, server.Path("queues", v.Vhost, name), nil, nil)
}

// Do calls the node's HTTP API and fails the test on error: path is below /api and escaped; in is sent as JSON unless
// nil; the answer is decoded into out unless nil.
func (v *Vhost) Do(t testing.TB, method, path string, in, out any) {
	t.Helper()
	check(t, v.api.Do(within(t, apiTimeout), method, path, in, out))
}

// A Node is a RabbitMQ node that belongs to one test. Its embedded Vhost is one to work in; after a restart it is still
// there.
type Node struct {
	*Vhost
	server *server.RabbitMQ
	ctl    testing.TB
}

// RabbitMQOption changes a private node.
type RabbitMQOption func(*server.RabbitMQConfig)

// WithTLS makes the node offer amqps besides amqp, see Node.TLSURL. Clients must show a certificate of the CA, and may log
// in with it by the mechanism EXTERNAL.
func WithTLS(files *Certificates) RabbitMQOption {
	return func(c *server.RabbitMQConfig) { c.TLS = files.server() }
}

// WithRabbitMQSettings adds lines to the node's rabbitmq.conf.
func WithRabbitMQSettings(lines ...string) RabbitMQOption {
	return func(c *server.RabbitMQConfig) { c.Settings = append(c.Settings, lines...) }
}

// WithRabbitMQPlugins enables more plugins.
func WithRabbitMQPlugins(names ...string) RabbitMQOption {
	return func(c *server.RabbitMQConfig) { c.Plugins = append(c.Plugins, names...) }
}

// PrivateRabbitMQ starts a node for this test alone, which takes some seconds, and stops it when the test ends. Port,
// credentials and data survive Stop, Kill and Start.
func PrivateRabbitMQ(t testing.TB, options ...RabbitMQOption) *Node {
	t.Helper()
	needServers(t)
	var config server.RabbitMQConfig
	for _, option := range options {
		option(&config)
	}
	s := start(t, func(dir string) (*server.RabbitMQ, error) { return server.NewRabbitMQ(dir, config) })
	n := &Node{server: s, ctl: t}
	n.Vhost = &Vhost{Addr: s.Addr(), User: s.User, Password: s.Password, Vhost: "test", t: t, api: s.API}
	check(t, s.API.CreateVhost(within(t, apiTimeout), n.Vhost.Vhost))
	if config.TLS != nil {
		check(t, s.API.CreateUser(within(t, apiTimeout), ClientName, ""))
		check(t, s.API.Permit(within(t, apiTimeout), n.Vhost.Vhost, ClientName))
	}
	return n
}

// TLSAddr is the host and port of the listener with TLS, see WithTLS.
func (n *Node) TLSAddr() string { return n.server.TLSAddr() }

// TLSURL is where clients connect to with TLS and log in with their certificate.
func (n *Node) TLSURL() string {
	u := url.URL{Scheme: "amqps", Host: n.TLSAddr(), Path: "/" + n.Vhost.Vhost, RawPath: server.Path(n.Vhost.Vhost)}
	return u.String()
}

// NewVhost returns a further vhost, deleted when t ends; the node must then run.
func (n *Node) NewVhost(t testing.TB) *Vhost {
	t.Helper()
	return newVhost(t, n.server.API, n.server.Addr(), n.server.User, n.server.Password)
}

// Start starts the node after Stop or Kill, and returns when it takes connections.
func (n *Node) Start() { n.ctl.Helper(); check(n.ctl, n.server.Start(within(n.ctl, startTimeout))) }

// Stop ends the node in order, and returns when it has ended.
func (n *Node) Stop() { n.ctl.Helper(); check(n.ctl, n.server.Stop()) }

// Kill ends the node with SIGKILL, and returns when it has ended.
func (n *Node) Kill() { n.ctl.Helper(); check(n.ctl, n.server.Kill()) }

// Pause freezes the node with SIGSTOP: connections stay open, and nothing answers.
func (n *Node) Pause() { n.ctl.Helper(); check(n.ctl, n.server.Pause()) }

// Resume ends a Pause.
func (n *Node) Resume() { n.ctl.Helper(); check(n.ctl, n.server.Resume()) }

// SetMemoryAlarm raises or ends a memory alarm: while it lasts, the node reads nothing from connections that publish.
func (n *Node) SetMemoryAlarm(on bool) {
	n.ctl.Helper()
	check(n.ctl, n.server.SetMemoryAlarm(within(n.ctl, apiTimeout), on))
}

// Ctl runs rabbitmqctl on the node and returns what it prints. It takes about a second.
func (n *Node) Ctl(args ...string) string {
	n.ctl.Helper()
	out, err := n.server.Ctl(within(n.ctl, apiTimeout), args...)
	check(n.ctl, err)
	return out
}
