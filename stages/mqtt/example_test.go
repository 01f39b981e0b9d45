package mqtt_test

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/mqtt"
)

func ExampleConfig_Validate() {
	c := mqtt.DefaultConfig()
	c.URL = feed.NewURL("mqtt://broker:1883")
	c.QoS = 2
	c.MaxInflight = 100_000
	fmt.Println(c.Validate())
	// Output:
	// qos: QoS 2 is not offered: its promise ends at the broker and does not survive a resend after a restart, at twice the round trips (write 1)
	// maxInflight: 100000 is out of range (write 1 to 65535)
}

func ExampleSink() {
	c := mqtt.DefaultConfig()
	c.URL = feed.NewURL("mqtt://127.0.0.1:1") // nothing listens there
	sink, err := mqtt.NewSink(c, feed.StageEnv{Feed: "edge", Route: "telemetry"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close()

	m := &message.Message{Payload: []byte(`{"value": 21.5}`)}
	feed.SetTopic(m, "kraft/rio/line3/press7/temperature")
	fmt.Println(sink.PublishBatch(context.Background(), feed.NewBatch(m)))
	// Output: connect to mqtt://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused
}

func ExampleSourceConfig_Validate() {
	c := mqtt.DefaultSourceConfig()
	c.URL = feed.NewURL("mqtt://broker:1883")
	c.Topics = []string{"plant/#/temperature"}
	fmt.Println(c.Validate())
	// Output:
	// clientId: is missing, and the broker keeps messages for a client only by its name (write a name that stays the same after a restart and that no other process has, such as feed-${HOSTNAME})
	// topics[0]: the filter "plant/#/temperature" has a # that is not its last level (write a filter such as plant/+/temperature or plant/#)
}
