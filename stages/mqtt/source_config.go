package mqtt

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// SourceConfig is the configuration of a [Source].
type SourceConfig struct {
	URL            feed.URL      `yaml:"url" doc:"Address of the broker: mqtt://host:1883, mqtts://host:8883 (tcp and ssl are other names of the two), or unix:///path/of/socket; a user name and password may stand in it."`
	ClientID       string        `yaml:"clientId" doc:"Client identifier, the name of the session in which the broker keeps what is not acknowledged: the same after each start, and another one for each process, such as feed-${HOSTNAME} where host names stay."`
	Username       string        `yaml:"username" doc:"User name, if the broker wants one and the URL has none."`
	Password       feed.Secret   `yaml:"password" doc:"Password, read anew at each connect."`
	Auth           Auth          `yaml:"auth" doc:"Enhanced authentication, such as by a service account token."`
	TLS            TLSConfig     `yaml:"tls" doc:"Certificates for mqtts; files are read anew at each connect."`
	KeepAlive      time.Duration `yaml:"keepAlive" doc:"Longest silence before a ping is sent, in whole seconds from 1s to 18h12m15s; the broker may set another one."`
	ConnectTimeout time.Duration `yaml:"connectTimeout" doc:"How long a connect may take, from the name lookup to the broker's answer to the subscription."`
	PingTimeout    time.Duration `yaml:"pingTimeout" doc:"How long the broker may owe the answer to a ping, or not read what is written, before the connection is dropped."`

	Topics         []string      `yaml:"topics" doc:"Topic filters to subscribe to with QoS 1, such as plant/+/temperature or plant/#."`
	SharedGroup    string        `yaml:"sharedGroup" doc:"Name of a group whose members share the messages ($share/GROUP/FILTER), each with a clientId of its own; order is then that of each member."`
	SessionExpiry  time.Duration `yaml:"sessionExpiry" doc:"How long the broker keeps the session, and in it what was published meanwhile, when the feed is not connected; in whole seconds."`
	ReceiveMaximum int           `yaml:"receiveMaximum" doc:"Most messages that are handed out and not yet settled: 1 to 65535."`
	ReadAhead      feed.Size     `yaml:"readAhead" doc:"Most bytes of messages that wait in memory for the route; beyond, the source stops reading from the broker until there is room."`
	MaxPacketSize  feed.Size     `yaml:"maxPacketSize" doc:"Largest packet to take; the broker is told so, and drops larger messages without a word, as MQTT has it."`
	Retained       Retained      `yaml:"retained" doc:"When retained messages come: once, with the first subscription in a session; always, with each connect; never."`
}

// Retained says when a broker sends the retained messages that a filter
// matches.
type Retained string

// The retain handlings of MQTT 5.0 §3.8.3.1.
const (
	RetainedOnce   Retained = "once"
	RetainedAlways Retained = "always"
	RetainedNever  Retained = "never"
)

// Values returns all of them.
func (Retained) Values() []string {
	return []string{string(RetainedOnce), string(RetainedAlways), string(RetainedNever)}
}

// handling is the Retain Handling of the subscription options, or -1.
func (r Retained) handling() int {
	switch r {
	case RetainedAlways:
		return 0
	case RetainedOnce:
		return 1
	case RetainedNever:
		return 2
	}
	return -1
}

// neverExpires is a Session Expiry Interval with a meaning of its own.
const neverExpires = math.MaxUint32

// DefaultSourceConfig returns the defaults. URL, clientId and topics have none.
func DefaultSourceConfig() SourceConfig {
	return SourceConfig{
		KeepAlive:      30 * time.Second,
		ConnectTimeout: 10 * time.Second,
		PingTimeout:    20 * time.Second,
		SessionExpiry:  7 * 24 * time.Hour,
		ReceiveMaximum: 1000,
		ReadAhead:      8 * feed.MiB,
		MaxPacketSize:  16 * feed.MiB,
		Retained:       RetainedOnce,
	}
}

// Validate reports all that is wrong as *[feed.ConfigError], joined. It checks
// a URL whose text comes from a file only as far as the file can be read.
func (c *SourceConfig) Validate() error {
	errs := c.problems()
	if len(c.Topics) == 0 {
		errs = append(errs, &feed.ConfigError{Key: "topics", Problem: "nothing to subscribe to", Remedy: "list topic filters, such as plant/#"})
	}
	return errors.Join(errs...)
}

// problems is what is wrong even when subscriptions name their topics.
func (c *SourceConfig) problems() (errs []error) {
	bad := func(key, problem, remedy string) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy})
	}
	c.access(c.ClientID).validate(bad)
	if c.ClientID == "" {
		bad("clientId", "is missing, and the broker keeps messages for a client only by its name", "write a name that stays the same after a restart and that no other process has, such as feed-${HOSTNAME}")
	}
	if c.KeepAlive < time.Second || c.KeepAlive > math.MaxUint16*time.Second {
		bad("keepAlive", fmt.Sprintf("%v is out of range: without pings a dead connection would look like a broker that has nothing to say", c.KeepAlive), "write 1s to 18h12m15s")
	}
	if c.PingTimeout <= 0 {
		bad("pingTimeout", "an answer needs some time", "write a duration such as 20s")
	}
	if c.SessionExpiry < time.Second || c.SessionExpiry/time.Second >= neverExpires {
		bad("sessionExpiry", fmt.Sprintf("%v is out of range: without a session messages are lost while the feed is not connected", c.SessionExpiry), "write at least 1s, and longer than the longest outage, such as 168h")
	}
	if c.ReceiveMaximum < 1 || c.ReceiveMaximum > maxPacketID {
		bad("receiveMaximum", fmt.Sprintf("%d is out of range", c.ReceiveMaximum), "write 1 to 65535")
	}
	if c.ReadAhead < 1 {
		bad("readAhead", fmt.Sprintf("%v is out of range: nothing could be read", c.ReadAhead), "write a size such as 8MiB")
	}
	if c.MaxPacketSize < leastPacket || c.MaxPacketSize > maxPacket {
		bad("maxPacketSize", fmt.Sprintf("%v is out of range", c.MaxPacketSize), "write 32KiB to 256MiB")
	}
	if c.Retained.handling() < 0 {
		bad("retained", fmt.Sprintf("%q is not known", string(c.Retained)), "write once, always or never")
	}
	if c.SharedGroup != "" {
		if why := groupProblem(c.SharedGroup); why != "" {
			bad("sharedGroup", why, "use letters, digits and dashes")
		}
	}
	seen := map[string]bool{}
	for i, filter := range c.Topics {
		key := fmt.Sprintf("topics[%d]", i)
		switch why := filterProblem(filter); {
		case why != "":
			bad(key, why, "write a filter such as plant/+/temperature or plant/#")
		case seen[filter]:
			bad(key, fmt.Sprintf("%s is listed twice", clip(filter)), "remove one")
		}
		seen[filter] = true
	}
	return errs
}

// leastPacket leaves room for what a broker must be able to say.
const leastPacket = maxIncoming

// Window is the Receive Maximum.
func (c *SourceConfig) Window() int { return c.ReceiveMaximum }

// Reads returns the broker's address with each filter, or the address alone for
// a filter that takes everything; nothing as long as the address cannot be read.
func (c *SourceConfig) Reads() []string {
	a, err := parseAddress(c.URL)
	if err != nil {
		return nil
	}
	var all []string
	for _, filter := range c.Topics {
		if filter == "#" {
			all = append(all, a.String())
		} else {
			all = append(all, a.String()+" topic "+filter)
		}
	}
	return all
}

// Writes returns nothing: a source writes to nowhere.
func (c *SourceConfig) Writes() []string { return nil }

func (c *SourceConfig) access(clientID string) access {
	return access{
		url: c.URL, username: c.Username, password: c.Password, auth: c.Auth, tls: c.TLS,
		keepAlive: c.KeepAlive, connectTimeout: c.ConnectTimeout, clientID: clientID,
	}
}
