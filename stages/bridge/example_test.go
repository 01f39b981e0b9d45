package bridge_test

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/bridge"
)

func Example() {
	config := bridge.DefaultConfig()
	config.Rules = []bridge.Rule{
		{
			Match: "telemetry.{site}.{line}.{device}.{tag}",
			Topic: "kraft/{site}/{line}/{device}/{tag}",
		},
		{
			Match:   "alarm.{rest...}",
			Headers: map[string]string{"x-site": "{site}"},
			Topic:   "kraft/{site}/alarms/{rest...}",
			Set:     map[string]string{"severity": "high"},
		},
	}
	b, err := bridge.NewBridge(config, feed.StageEnv{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, metadata := range []message.Metadata{
		{"topic": "telemetry.aachen.l1.press-7.temperature"},
		{"topic": "telemetry.aachen.l1.press/7.#"},
		{"topic": "alarm.press.overheated", "x-site": "10.0.0.1"},
		{"topic": "heartbeat.press"},
	} {
		m := message.NewMessage("", nil)
		m.Metadata = metadata
		if _, err := b.Handle(m); err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%s severity=%q\n", feed.Topic(m), m.Metadata["severity"])
	}
	// Output:
	// kraft/aachen/l1/press-7/temperature severity=""
	// kraft/aachen/l1/press%2F7/%23 severity=""
	// kraft/10.0.0.1/alarms/press/overheated severity="high"
	// no rule matches routing key "heartbeat.press"
}
