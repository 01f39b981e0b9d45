package embedded

import (
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
	return event == mqtt.OnPacketRead || event == mqtt.OnPacketEncode || event == mqtt.OnPublish
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

// full reports whether the session of somebody who is away has no room for
// messages of a topic.
func (l *limits) full(topic string) bool {
	var subscribers *mqtt.Subscribers
	for id, c := range l.server.Clients.GetAll() {
		if !c.Closed() || c.State.Inflight.Len() < offlineBacklog {
			continue
		}
		if subscribers == nil {
			subscribers = l.server.Topics.Subscribers(topic)
		}
		if _, ok := subscribers.Subscriptions[id]; ok {
			return true
		}
		for _, group := range subscribers.Shared {
			if _, ok := group[id]; ok {
				return true
			}
		}
	}
	return false
}
