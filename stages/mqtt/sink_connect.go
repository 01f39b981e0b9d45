package mqtt

import (
	"context"
	"fmt"

	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

// connect opens a connection for publishing, in a session that ends with it:
// one that outlives it would gain a publisher nothing, as the route sends again
// what was not acknowledged.
func (s *Sink) connect(ctx context.Context) (*conn, error) {
	a := s.config.access(s.clientID)
	a.log, a.events = s.log, s.events
	k, err := connect(ctx, a, func(p *packets.Connect) {
		most := uint32(maxIncoming)
		p.CleanStart = true
		p.Properties.MaximumPacketSize = &most
	}, s.dial)
	if err != nil {
		return nil, err
	}
	if err := s.config.accepts(k.granted); err != nil {
		k.nc.Close()
		return nil, fmt.Errorf("connect to %s: %w", k.to, err)
	}
	return newConn(k, s.config), nil
}

// accepts says why what the broker grants is too little.
func (c *Config) accepts(l limits) error {
	if l.maxQoS < c.QoS {
		return fmt.Errorf("the broker grants no QoS 1, so nothing sent to it is durable: %w",
			&feed.ConfigError{Key: "qos", Problem: fmt.Sprintf("the broker's Maximum QoS is %d", l.maxQoS), Remedy: "allow QoS 1 at the broker, or write 0 if messages may be lost"})
	}
	if !l.retain && c.Retain {
		return &feed.ConfigError{Key: "retain", Problem: "the broker keeps no retained messages", Remedy: "allow them at the broker, or write false"}
	}
	return nil
}
