package bridge_test

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/bridge"
)

// The site and the device stand in the payload alone, and decide the topic.
func Example_fields() {
	config := bridge.DefaultConfig()
	config.Rules = []bridge.Rule{{
		Match: "readings.{...}",
		Fields: map[string]string{
			"/device/id": "press-{number}",
			"/site":      "{site}",
			"/kind":      "reading",
		},
		Topic: "kraft/{site}/press/{number}",
		Set:   map[string]string{"site": "{site}"},
	}}
	b, err := bridge.NewBridge(config, feed.StageEnv{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, payload := range []string{
		`{"kind": "reading", "site": "aachen", "device": {"id": "press-7"}, "value": 21.50}`,
		`{"kind": "reading", "site": "a\u002fb", "device": {"id": "press-#"}, "value": 21.50}`,
		`{"kind": "reading", "site": "aachen", "device": null, "value": 21.50}`,
		`{"kind": "reading", "site": "aachen", "dev`,
	} {
		m := message.NewMessage("", []byte(payload))
		feed.SetTopic(m, "readings.line1")
		if _, err := b.Handle(m); err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%s site=%q\n", feed.Topic(m), m.Metadata["site"])
	}
	// Output:
	// kraft/aachen/press/7 site="aachen"
	// kraft/a%2Fb/press/%23 site="a/b"
	// no rule matches routing key "readings.line1" with the fields of its payload
	// the payload is no JSON up to the fields that rules ask for: byte 42: the " that closes a string is missing
}

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
