package mqtt

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed"
)

// Config is the configuration of a [Sink].
type Config struct {
	URL            feed.URL      `yaml:"url" doc:"Address of the broker: mqtt://host:1883, mqtts://host:8883 (tcp and ssl are other names of the two), or unix:///path/of/socket; a user name and password may stand in it."`
	ClientID       string        `yaml:"clientId" doc:"Client identifier; empty makes one of the route's name and a random suffix, which is new in each process."`
	Username       string        `yaml:"username" doc:"User name, if the broker wants one and the URL has none."`
	Password       feed.Secret   `yaml:"password" doc:"Password, read anew at each connect."`
	Auth           Auth          `yaml:"auth" doc:"Enhanced authentication, such as by a service account token."`
	TLS            TLSConfig     `yaml:"tls" doc:"Certificates for mqtts; files are read anew at each connect."`
	QoS            int           `yaml:"qos" doc:"1: done means that the broker has acknowledged the message; 0: done means written to the socket, which is not durable."`
	Retain         bool          `yaml:"retain" doc:"Whether the broker keeps the last message of each topic for later subscribers."`
	KeepAlive      time.Duration `yaml:"keepAlive" doc:"Longest silence before a ping is sent, in whole seconds up to 18h12m15s; 0 sends none; the broker may set another one."`
	ConnectTimeout time.Duration `yaml:"connectTimeout" doc:"How long a connect may take, from the name lookup to the broker's answer."`
	AckTimeout     time.Duration `yaml:"ackTimeout" doc:"How long the broker may stay silent with publishes or a ping outstanding, or not read what is written, before the connection is dropped."`
	MaxInflight    int           `yaml:"maxInflight" doc:"How many publishes may be unacknowledged at once, 1 to 65535; the broker's Receive Maximum may lower it."`
	MaxPacketSize  feed.Size     `yaml:"maxPacketSize" doc:"Largest packet to send; a message that needs a larger one fails for good; 0 leaves it to the broker's limit."`
	UserProperties []string      `yaml:"userProperties" doc:"Names of the headers to send as user properties, message-id and time among them; left out means all, an empty list none."`
	MessageExpiry  time.Duration `yaml:"messageExpiry" doc:"After how long, in whole seconds, the broker may drop a message that it has not delivered; 0 is never."`
}

// TLSConfig says how the two sides of an mqtts connection prove who they are.
// TLS 1.2 is the least, and the broker's certificate is always verified.
type TLSConfig struct {
	CAFile     string `yaml:"caFile" doc:"PEM file of the authorities that may sign the broker's certificate; empty takes the system's."`
	CertFile   string `yaml:"certFile" doc:"PEM file of the client's certificate and its chain."`
	KeyFile    string `yaml:"keyFile" doc:"PEM file of the client's private key."`
	ServerName string `yaml:"serverName" doc:"Name that the broker's certificate must bear; empty takes the host of the URL."`
}

const (
	// maxPacketID is also the largest Receive Maximum.
	maxPacketID = math.MaxUint16
	// maxRemaining is the largest Remaining Length that four bytes can hold.
	maxRemaining = 1<<28 - 1
	// maxPacket is the largest packet of all: type, length and the rest.
	maxPacket = 1 + 4 + maxRemaining
)

// DefaultConfig returns the defaults. The URL has none.
func DefaultConfig() Config {
	return Config{
		QoS:            1,
		KeepAlive:      30 * time.Second,
		ConnectTimeout: 10 * time.Second,
		AckTimeout:     20 * time.Second,
		MaxInflight:    2048,
	}
}

// Validate reports all that is wrong as *[feed.ConfigError], joined. It checks
// a URL whose text comes from a file only as far as the file can be read.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, problem, remedy string) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy})
	}
	c.access(c.ClientID).validate(bad)
	switch {
	case c.QoS == 2:
		bad("qos", "QoS 2 is not offered: its promise ends at the broker and does not survive a resend after a restart, at twice the round trips", "write 1")
	case c.QoS < 0 || c.QoS > 2:
		bad("qos", fmt.Sprintf("%d is no QoS", c.QoS), "write 1, or 0 if messages may be lost")
	}
	if c.MaxInflight < 1 || c.MaxInflight > maxPacketID {
		bad("maxInflight", fmt.Sprintf("%d is out of range", c.MaxInflight), "write 1 to 65535")
	}
	if c.MaxPacketSize < 0 || c.MaxPacketSize > maxPacket {
		bad("maxPacketSize", fmt.Sprintf("%v is out of range", c.MaxPacketSize), "write at most 256MiB, or 0 for the broker's limit")
	}
	if c.AckTimeout <= 0 {
		bad("ackTimeout", "an acknowledgement needs some time", "write a duration such as 20s")
	}
	if c.KeepAlive != 0 && (c.KeepAlive < time.Second || c.KeepAlive > math.MaxUint16*time.Second) {
		bad("keepAlive", fmt.Sprintf("%v is out of range", c.KeepAlive), "write 1s to 18h12m15s, or 0 for none")
	}
	if c.MessageExpiry != 0 && (c.MessageExpiry < time.Second || c.MessageExpiry > math.MaxUint32*time.Second) {
		bad("messageExpiry", fmt.Sprintf("%v is out of range", c.MessageExpiry), "write at least 1s, or 0 for never")
	}
	seen := map[string]bool{}
	for i, name := range c.UserProperties {
		key := fmt.Sprintf("userProperties[%d]", i)
		switch why := textProblem(name); {
		case why != "":
			bad(key, "the name "+why, "")
		case seen[name]:
			bad(key, fmt.Sprintf("%q is listed twice", name), "remove one")
		case name != feed.MetaTime && feed.ReservedMetadata(name):
			bad(key, fmt.Sprintf("%q is no header: MQTT has a place of its own for it", name), "remove it")
		}
		seen[name] = true
	}
	return errors.Join(errs...)
}

func (c *Config) access(clientID string) access {
	return access{
		url: c.URL, username: c.Username, password: c.Password, auth: c.Auth, tls: c.TLS,
		keepAlive: c.KeepAlive, connectTimeout: c.ConnectTimeout, clientID: clientID,
	}
}

// Durable reports whether the sink's "done" means that the broker has the
// message: QoS 1.
func (c *Config) Durable() bool { return c.QoS >= 1 }

// Reads returns nothing: a sink reads from nowhere.
func (c *Config) Reads() []string { return nil }

// Writes returns the broker's address without credentials, or nothing as long
// as the address cannot be read.
func (c *Config) Writes() []string {
	a, err := parseAddress(c.URL)
	if err != nil {
		return nil
	}
	return []string{a.String()}
}

// textProblem says why s cannot be an MQTT string, or "".
func textProblem(s string) string {
	switch {
	case len(s) > math.MaxUint16:
		return fmt.Sprintf("is %d bytes long and MQTT takes 65535", len(s))
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case !plainText(s):
		return "has a control character or a code point that is no character"
	}
	return ""
}
