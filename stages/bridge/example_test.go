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

// Messages are dropped, enriched from a table, cut and converted.
func Example_expressions() {
	config := bridge.DefaultConfig()
	config.Tables = map[string]bridge.Table{"devices": {
		Key:  "device",
		Rows: []map[string]string{{"device": "press7", "site": "aachen"}},
	}}
	config.Rules = []bridge.Rule{
		{Match: "status.*", Where: `payload.state == "idle"`, Drop: "idle machines"},
		{
			Match: "status.{device}",
			Where: `device in tables.devices`,
			Let:   map[string]string{"site": `tables.devices[device].site`},
			Topic: "kraft/{site}/status/{device}",
			Payload: bridge.Payload{
				Select: []string{"state"},
				Fields: map[string]string{"celsius": `(payload.fahrenheit - 32) / 1.8`},
			},
		},
		{Match: "status.{device}", Topic: "kraft/unknown/{device}"},
	}
	b, err := bridge.NewBridge(config, feed.StageEnv{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, message := range []struct{ key, payload string }{
		{"status.press7", `{"state": "idle"}`},
		{"status.press7", `{"state": "running", "fahrenheit": 68.0, "operator": "x"}`},
		{"status.press8", `{"state": "running"}`},
		{"status.press7", `{"state": "running"}`},
	} {
		show(b, message.key, message.payload)
	}
	// Output:
	// filtered: idle machines
	// kraft/aachen/status/press7 {"state":"running","celsius":20}
	// kraft/unknown/press8 {"state": "running"}
	// rules[1].payload.fields.celsius: (payload.fahrenheit - 32) / 1.8: no such key: fahrenheit (ask first: has(payload.fahrenheit))
}

func show(b *bridge.Bridge, key, payload string) {
	m := message.NewMessage("", []byte(payload))
	feed.SetTopic(m, key)
	if _, err := b.Handle(m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(feed.Topic(m), string(m.Payload))
}

// A message becomes an event, whose id is the same when it comes again.
func Example_cloudEvents() {
	config := bridge.DefaultConfig()
	config.Rules = []bridge.Rule{{
		Match: "status.{site}.{device}",
		Topic: "events",
		CloudEvents: &bridge.CloudEvents{
			Mode: bridge.ModeStructured, Type: "com.kraft.status", Source: "/plants/{site}", Subject: "{device}",
		},
	}}
	b, err := bridge.NewBridge(config, feed.StageEnv{})
	if err != nil {
		fmt.Println(err)
		return
	}
	show(b, "status.aachen.press7", `{"state": "idle"}`)
	show(b, "status.aachen.press7", `{"state": "idle"}`)
	// Output:
	// events {"specversion":"1.0","id":"cd59c84c4375e3a0a2096a61d2ef98bf","source":"/plants/aachen","type":"com.kraft.status","subject":"press7","data":{"state": "idle"}}
	// events {"specversion":"1.0","id":"cd59c84c4375e3a0a2096a61d2ef98bf","source":"/plants/aachen","type":"com.kraft.status","subject":"press7","data":{"state": "idle"}}
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
