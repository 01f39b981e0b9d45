package embedded

import (
	"fmt"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// watches numbers subscriptions from within the process.
var watches atomic.Int32

// Watch calls on for every message of a filter that is published from now on,
// before its publisher gets the acknowledgement. on must not change the payload. Calls may
// come at the same time. stop ends it; it may be called after Close.
func (b *Broker) Watch(filter string, on func(topic string, payload []byte)) (stop func(), err error) {
	id := int(watches.Add(1))
	err = b.server.Subscribe(filter, id, func(_ *mqtt.Client, _ packets.Subscription, pk packets.Packet) {
		on(pk.TopicName, pk.Payload)
	})
	if err != nil {
		return nil, fmt.Errorf("embedded MQTT broker: watch %s: %w", filter, err)
	}
	return func() {
		// It fails only where there is no such subscription any more.
		_ = b.server.Unsubscribe(filter, id)
	}, nil
}
