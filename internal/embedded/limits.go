package embedded

import (
	"maps"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// offlineBacklog is how many messages the broker keeps for a session whose
// client is away. It is below the 65535 at which mochi drops without a word.
const offlineBacklog = 20_000

// limits is the hook that refuses what Azure IoT Operations MQ does not
// support, and what the broker has no room for.
type limits struct {
	mqtt.HookBase
	server *mqtt.Server
}

// ID implements mqtt.Hook.
func (*limits) ID() string { return "limits" }

// Provides implements mqtt.Hook.
func (*limits) Provides(event byte) bool {
	return event == mqtt.OnPacketRead || event == mqtt.OnPacketEncode || event == mqtt.OnPublish || event == mqtt.OnSelectSubscribers
}

// OnPacketEncode has CONNACK say that there are no subscription identifiers,
// which mochi leaves out.
func (*limits) OnPacketEncode(_ *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Connack && pk.ProtocolVersion >= 5 {
		pk.Properties.SubIDAvailable, pk.Properties.SubIDAvailableFlag = 0, true
	}
	return pk
}

// OnPacketRead ends the connection of a client that asks for more than CONNACK
// has granted. mochi would take a publish with QoS 2 for one with QoS 1, and
// subscription identifiers as they are.
func (l *limits) OnPacketRead(c *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	switch {
	case pk.FixedHeader.Type == packets.Publish && pk.FixedHeader.Qos > 1:
		return pk, l.refuse(c, packets.ErrQosNotSupported)
	case pk.FixedHeader.Type == packets.Subscribe && len(pk.Properties.SubscriptionIdentifier) > 0:
		return pk, l.refuse(c, packets.ErrSubscriptionIdentifiersNotSupported)
	}
	return pk, nil
}

// refuse ends a connection.
func (l *limits) refuse(c *mqtt.Client, why packets.Code) error {
	_ = l.server.DisconnectClient(c, why) // the error says that it was disconnected
	return packets.ErrRejectPacket
}

// OnPublish refuses a message that somebody who is away has no room for: by its
// acknowledgement, or by the end of the connection where that has no reason code.
func (l *limits) OnPublish(publisher *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Qos == 0 || !l.full(pk.TopicName) {
		return pk, nil
	}
	if publisher.Properties.ProtocolVersion < 5 {
		return pk, l.refuse(publisher, packets.ErrQuotaExceeded)
	}
	return pk, packets.ErrQuotaExceeded
}

// full reports whether a session that messages of a topic go to has no room: one
// of its own subscription, or all of those that share one.
func (l *limits) full(topic string) bool {
	subscribers := l.server.Topics.Subscribers(topic)
	for id := range subscribers.Subscriptions {
		if l.fullSession(id) {
			return true
		}
	}
	for _, group := range subscribers.Shared {
		if l.allFull(group) {
			return true
		}
	}
	return false
}

// fullSession reports whether a client is away and has no room for messages.
func (l *limits) fullSession(id string) bool {
	c, ok := l.server.Clients.Get(id)
	return ok && c.Closed() && c.State.Inflight.Len() >= offlineBacklog
}

// allFull reports whether no member of a group has room for messages.
func (l *limits) allFull(group map[string]packets.Subscription) bool {
	for id := range group {
		if !l.fullSession(id) {
			return false
		}
	}
	return true
}

// OnSelectSubscribers leaves out, of those that share a subscription, who has no
// room: mochi takes any of them. One stays in any case: the last may have been
// filled since OnPublish, and what was taken must go somewhere.
func (l *limits) OnSelectSubscribers(subscribers *mqtt.Subscribers, _ packets.Packet) *mqtt.Subscribers {
	for _, group := range subscribers.Shared {
		maps.DeleteFunc(group, func(id string, _ packets.Subscription) bool { return len(group) > 1 && l.fullSession(id) })
	}
	return subscribers
}
