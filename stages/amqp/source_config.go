package amqp

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// SourceConfig configures a [Source].
type SourceConfig struct {
	URL            feed.URL      `yaml:"url" doc:"Address of the broker: amqp://[user:password@]host[:5672][/vhost], or amqps:// for TLS; write the virtual host / as nothing or %2F."`
	Username       feed.Secret   `yaml:"username" doc:"User name; overrides the URL's and is read anew at each connect."`
	Password       feed.Secret   `yaml:"password" doc:"Password; overrides the URL's and is read anew at each connect."`
	Auth           Auth          `yaml:"auth" doc:"How to authenticate: password, or external for the client certificate (SASL EXTERNAL)."`
	TLS            TLS           `yaml:"tls" doc:"Certificates of an amqps connection."`
	ConnectTimeout time.Duration `yaml:"connectTimeout" doc:"Longest time for connecting, the TLS handshake and logging in together."`
	Heartbeat      time.Duration `yaml:"heartbeat" doc:"Interval of heartbeats, in whole seconds; a peer that is silent for twice as long is dead."`

	Queue       string        `yaml:"queue" doc:"Queue, or stream, to consume from."`
	Prefetch    int           `yaml:"prefetch" doc:"Most messages that are handed out and not yet settled: 1 to 65535."`
	ReadAhead   feed.Size     `yaml:"readAhead" doc:"Most bytes of payload and properties that wait in memory for the route; beyond, the source stops reading from the broker until there is room."`
	ConsumerTag string        `yaml:"consumerTag" doc:"Prefix of the consumer's name in the broker's lists; the default is the feed's and the route's name."`
	Exclusive   bool          `yaml:"exclusive" doc:"Refuse other consumers on the queue."`
	Timeout     time.Duration `yaml:"ackTimeout" doc:"The broker's consumer_timeout: how long it lets a message stay unsettled; 0 is for ever."`

	Declare *Declare `yaml:"declare" doc:"Declare the queue, and what belongs to it, at each connect; without it the queue must exist."`
}

// DefaultSourceConfig returns the defaults. URL and queue have none.
func DefaultSourceConfig() SourceConfig {
	return SourceConfig{
		Auth:           AuthPassword,
		ConnectTimeout: 10 * time.Second,
		Heartbeat:      10 * time.Second,
		Prefetch:       2000,
		ReadAhead:      8 * feed.MiB,
		Timeout:        30 * time.Minute,
	}
}

// Validate reports everything that is wrong with the configuration.
func (c *SourceConfig) Validate() error {
	var p problems
	p.checkAccess(c.access(""))
	if c.Queue == "" {
		p.add("queue", "is missing", "name the queue to consume from")
	}
	p.check(c)
	return errors.Join(p...)
}

// check validates what a source needs even when the queue is given as a topic.
func (p *problems) check(c *SourceConfig) {
	p.checkName("queue", c.Queue)
	if len(c.ConsumerTag) > 200 {
		p.add("consumerTag", fmt.Sprintf("has %d bytes", len(c.ConsumerTag)), "use at most 200")
	}
	switch {
	case c.Prefetch < 1:
		p.add("prefetch", fmt.Sprintf("is %d, and 0 would mean no limit", c.Prefetch), "use 1 to 65535")
	case c.Prefetch > math.MaxUint16:
		p.add("prefetch", fmt.Sprintf("is %d, and the broker's field for it has 16 bits: the number would be cut", c.Prefetch), "use 1 to 65535")
	}
	if c.ReadAhead < 1 {
		p.add("readAhead", fmt.Sprintf("is %d, and nothing could be read", int64(c.ReadAhead)), "write a size such as 8MiB")
	}
	if c.Timeout < 0 {
		p.add("ackTimeout", "is negative", "write the broker's consumer_timeout, 30m by default, or 0 for none")
	}
	if c.Declare != nil {
		p.checkDeclare(c.Declare, c.Queue)
	}
	if c.Exclusive && c.Declare.stream() {
		p.add("exclusive", "is set, and streams have any number of readers", "remove it: a sink with checkpoints keeps a second feed out")
	}
}

// Window is the prefetch. A stream has none: what it hands out is acknowledged
// at once.
func (c *SourceConfig) Window() int {
	if c.Declare.stream() {
		return 0
	}
	return c.Prefetch
}

// AckTimeout is how long the broker lets a delivery stay unsettled; 0 is for
// ever.
func (c *SourceConfig) AckTimeout() time.Duration {
	if c.Declare.stream() {
		return 0
	}
	return c.Timeout
}

// Offsets reports whether the source reads a stream.
func (c *SourceConfig) Offsets() bool { return c.Declare.stream() }

// Reads returns the queue, and for each declared binding the exchange with its
// routing key, and the exchange itself when the binding takes everything.
func (c *SourceConfig) Reads() []string {
	if c.Queue == "" {
		return nil
	}
	all := []string{endpoint(c.URL, "queue", c.Queue)}
	if c.Declare != nil {
		if s := c.Declare.Shards.Exchange; s != "" {
			all = append(all, endpoint(c.URL, "exchange", s))
		}
		for _, b := range c.Declare.bindings() {
			all = append(all, endpoint(c.URL, "exchange", b.Exchange, "key", b.RoutingKey))
			fanout := c.Declare.Exchange.Name == b.Exchange && c.Declare.Exchange.Type == ExchangeFanout
			if b.RoutingKey == "#" || fanout {
				all = append(all, endpoint(c.URL, "exchange", b.Exchange))
			}
		}
	}
	return endpoints(all...)
}

// Writes returns nothing.
func (c *SourceConfig) Writes() []string { return nil }

func (c *SourceConfig) access(name string) access {
	return access{
		url: c.URL, username: c.Username, password: c.Password, auth: c.Auth, tls: c.TLS,
		connectTimeout: c.ConnectTimeout, heartbeat: c.Heartbeat, name: name,
	}
}
