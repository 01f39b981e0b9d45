package amqp_test

import (
	"fmt"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/amqp"
)

// A source and a sink are made from a configuration; nothing connects yet.
func Example() {
	from := amqp.DefaultSourceConfig()
	from.URL = feed.NewURL("amqps://rabbit.plant/telemetry")
	from.Username = feed.NewSecret("feed")
	from.Password = feed.SecretFile("/run/secrets/rabbitmq") // read at each connect
	from.Queue = "telemetry"
	from.Declare = &amqp.Declare{
		Exchange:    amqp.Exchange{Name: "telemetry"},
		RoutingKeys: []string{"telemetry.#"},
		MaxBytes:    20 * feed.GiB,
	}
	source, err := amqp.NewSource(from, feed.StageEnv{Feed: "plant", Route: "bridge"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer source.Close()

	to := amqp.DefaultSinkConfig()
	to.URL = feed.NewURL("amqp://rabbit.office")
	to.Exchange = "telemetry"
	sink, err := amqp.NewSink(to, feed.StageEnv{Feed: "plant", Route: "bridge"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close()

	fmt.Println(from.Reads()[0])
	fmt.Println(to.Writes()[0])
	// Output:
	// amqp://rabbit.plant:5671/telemetry/queue/telemetry
	// amqp://rabbit.office:5672/%2F/exchange/telemetry
}

// Validate says all that is wrong, with the key and what to write instead.
func ExampleSourceConfig_Validate() {
	c := amqp.DefaultSourceConfig()
	c.URL = feed.NewURL("amqp://rabbit.plant")
	c.Prefetch = 100_000
	fmt.Println(c.Validate())
	// Output:
	// queue: is missing (name the queue to consume from)
	// prefetch: is 100000, and the broker's field for it has 16 bits: the number would be cut (use 1 to 65535)
}

// The properties of a message survive as JSON with all their types.
func ExampleEncodeProperties() {
	data, err := amqp.EncodeProperties(amqp.Properties{
		RoutingKey: "telemetry.north.press", ContentType: "application/json",
		Timestamp: time.Unix(1767225600, 0),
		Headers:   amqp091.Table{"attempt": int32(3), "raw": []byte{0xff}},
	})
	fmt.Println(string(data), err)
	p, err := amqp.DecodeProperties(data)
	fmt.Printf("%T %v %v\n", p.Headers["attempt"], p.Headers["raw"], err)
	// Output:
	// {"routingKey":"telemetry.north.press","headers":{"attempt":{"t":"int32","v":3},"raw":{"t":"bytes","v":"/w=="}},"contentType":"application/json","timestamp":1767225600} <nil>
	// int32 [255] <nil>
}
