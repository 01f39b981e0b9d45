package amqp

import (
	"errors"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Unroutable says what becomes of a message that no queue takes.
type Unroutable string

// What becomes of an unroutable message.
const (
	// UnroutableRetry treats it as a transient failure.
	UnroutableRetry Unroutable = "retry"
	// UnroutableQuarantine treats it as a permanent failure.
	UnroutableQuarantine Unroutable = "quarantine"
)

// Values returns all ways.
func (Unroutable) Values() []string {
	return []string{string(UnroutableRetry), string(UnroutableQuarantine)}
}

// SinkConfig configures a [Sink].
type SinkConfig struct {
	URL            feed.URL      `yaml:"url" doc:"Address of the broker: amqp://[user:password@]host[:5672][/vhost], or amqps:// for TLS; write the virtual host / as nothing or %2F."`
	Username       feed.Secret   `yaml:"username" doc:"User name; overrides the URL's and is read anew at each connect."`
	Password       feed.Secret   `yaml:"password" doc:"Password; overrides the URL's and is read anew at each connect."`
	Auth           Auth          `yaml:"auth" doc:"How to authenticate: password, or external for the client certificate (SASL EXTERNAL)."`
	TLS            TLS           `yaml:"tls" doc:"Certificates of an amqps connection."`
	ConnectTimeout time.Duration `yaml:"connectTimeout" doc:"Longest time for connecting, the TLS handshake and logging in together."`
	Heartbeat      time.Duration `yaml:"heartbeat" doc:"Interval of heartbeats, in whole seconds; a peer that is silent for twice as long is dead."`

	Exchange       string        `yaml:"exchange" doc:"Exchange to publish to; empty is the default exchange, where the routing key is the name of a queue."`
	RoutingKey     string        `yaml:"routingKey" doc:"Routing key of all messages; empty takes each message's topic."`
	Mandatory      bool          `yaml:"mandatory" doc:"Have the broker return messages that no queue takes; without it they are lost, and counted as delivered."`
	Unroutable     Unroutable    `yaml:"unroutable" doc:"What becomes of returned messages: retry until a queue takes them, or quarantine."`
	ConfirmTimeout time.Duration `yaml:"confirmTimeout" doc:"Longest wait for the next publisher confirm, and for a broker that blocks publishers; then the connection is given up and the route tries again."`
	ContentType    string        `yaml:"contentType" doc:"Content type of messages that have none."`
	Declare        *Exchange     `yaml:"declare" doc:"Exchange to declare at each connect; its name must be empty or the one of exchange."`
}

// DefaultSinkConfig returns the defaults. The URL has none.
func DefaultSinkConfig() SinkConfig {
	return SinkConfig{
		Auth:           AuthPassword,
		ConnectTimeout: 10 * time.Second,
		Heartbeat:      10 * time.Second,
		Mandatory:      true,
		Unroutable:     UnroutableRetry,
		ConfirmTimeout: 30 * time.Second,
	}
}

// Validate reports everything that is wrong with the configuration.
func (c *SinkConfig) Validate() error {
	var p problems
	p.checkAccess(c.access(""))
	p.checkName("exchange", c.Exchange)
	p.checkName("routingKey", c.RoutingKey)
	p.checkName("contentType", c.ContentType)
	p.checkEnum("unroutable", string(c.Unroutable), c.Unroutable.Values())
	if c.ConfirmTimeout <= 0 {
		p.add("confirmTimeout", "must be positive", "the default is 30s")
	}
	if d := c.Declare; d != nil {
		p.checkEnum("declare.type", string(d.Type), d.Type.Values())
		switch {
		case c.Exchange == "":
			p.add("declare", "there is no exchange to declare: the default exchange always exists", "set exchange, or remove declare")
		case d.Name != "" && d.Name != c.Exchange:
			p.add("declare.name", "is not the exchange that the stage publishes to", "remove declare.name")
		}
	}
	return errors.Join(p...)
}

// Durable reports whether "done" means durable: without mandatory a message
// that no queue takes is confirmed and gone.
func (c *SinkConfig) Durable() bool { return c.Mandatory }

// Reads returns nothing.
func (c *SinkConfig) Reads() []string { return nil }

// Writes returns the exchange, and the exchange with the routing key when that
// is fixed; for the default exchange the queue, when that is fixed.
func (c *SinkConfig) Writes() []string {
	switch {
	case c.Exchange == "" && c.RoutingKey == "":
		return nil
	case c.Exchange == "":
		return endpoints(endpoint(c.URL, "queue", c.RoutingKey))
	case c.RoutingKey == "":
		return endpoints(endpoint(c.URL, "exchange", c.Exchange))
	}
	return endpoints(
		endpoint(c.URL, "exchange", c.Exchange),
		endpoint(c.URL, "exchange", c.Exchange, "key", c.RoutingKey))
}

func (c *SinkConfig) access(name string) access {
	return access{
		url: c.URL, username: c.Username, password: c.Password, auth: c.Auth, tls: c.TLS,
		connectTimeout: c.ConnectTimeout, heartbeat: c.Heartbeat, name: name,
	}
}
