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
	for _, unmatched := range []bridge.Unmatched{"filter", "quarantine"} {
		feedtest.TestTransform(t, feedtest.TransformUnderTest{
			New: func(t testing.TB) message.HandlerFunc {
				c := bridge.DefaultConfig()
				c.Unmatched = unmatched
				c.Rules = []bridge.Rule{
					{Match: "telemetry.{site}.{device}.{tag}", Topic: "kraft/{site}/{device}/{tag}"},
					{Match: "alarm.{rest...}", Headers: map[string]string{"severity": "{level}"}, Topic: "alarms/{level}/{rest...}"},
				}
				b, err := bridge.NewBridge(c, feed.StageEnv{})
				if err != nil {
					t.Fatal(err)
				}
				return b.Handle
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
				}
				return append(all, &message.Message{})
			},
		})
	}
}
