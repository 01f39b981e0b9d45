package bridge_test

import (
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/stages/bridge"
)

func TestBridgeConforms(t *testing.T) {
	rewriting := []bridge.Rule{
		{Match: "telemetry.north.{...}", Where: `payload.value > 1`, Drop: "large"},
		{Match: "telemetry.{site}.{device}.{tag}", Let: map[string]string{"x": `site.upperAscii()`}, Topic: "{x}/{device}/{tag}",
			Payload:     bridge.Payload{Select: []string{"value"}, Fields: map[string]string{"site": "site"}},
			CloudEvents: &bridge.CloudEvents{Mode: bridge.ModeStructured, Type: "reading", Source: "/{x}"}},
		{Match: "alarm.{rest...}", Topic: "alarms/{rest...}", CloudEvents: &bridge.CloudEvents{Mode: bridge.ModeMQTT, Type: "alarm", Source: "/"}},
	}
	plain := []bridge.Rule{
		{Match: "telemetry.{site}.{device}.{tag}", Topic: "kraft/{site}/{device}/{tag}"},
		{Match: "alarm.{rest...}", Headers: map[string]string{"severity": "{level}"}, Topic: "alarms/{level}/{rest...}"},
	}
	for _, rules := range [][]bridge.Rule{plain, rewriting} {
		testConforms(t, rules)
	}
}

func testConforms(t *testing.T, rules []bridge.Rule) {
	for _, unmatched := range []bridge.Unmatched{"filter", "quarantine"} {
		feedtest.TestTransform(t, feedtest.TransformUnderTest{
			New: func(t testing.TB) feed.Transform {
				c := bridge.DefaultConfig()
				c.Unmatched = unmatched
				c.Rules = rules
				b, err := bridge.NewBridge(c, feed.StageEnv{})
				if err != nil {
					t.Fatal(err)
				}
				return feed.Transform{Func: b.Handle}
			},
			Messages: func() []*message.Message {
				var all []*message.Message
				for _, key := range []string{
					"telemetry.north.plc.temp", "telemetry.north.plc", "telemetry.a/b.c+d.#", "telemetry...", "alarm.x.y", "other", "",
					"telemetry." + strings.Repeat("x", 10_000) + ".plc.temp", "telemetry.\xff.\x00.t",
				} {
					all = append(all, &message.Message{
						Payload:  message.Payload(`{"value":1}`),
						Metadata: message.Metadata{feed.MetaTopic: key, "severity": "high", "plant": "north"},
					})
					all = append(all, &message.Message{Payload: message.Payload(`{"value":`), Metadata: message.Metadata{feed.MetaTopic: key}})
				}
				return append(all, &message.Message{})
			},
		})
	}
}
