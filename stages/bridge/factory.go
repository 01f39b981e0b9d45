package bridge

import (
	"github.com/kraft-edge/datafeed/feed"
)

// Factories returns the factory of the bridge transform.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.TransformFactory("bridge", "Makes MQTT topics of AMQP routing keys, headers and JSON payloads; drops, computes, looks up in tables, makes CloudEvents.", DefaultConfig,
			func(c Config, env feed.StageEnv) (feed.Transform, error) {
				b, err := NewBridge(c, env)
				if err != nil {
					return feed.Transform{}, err
				}
				return feed.Transform{Func: b.Handle}, nil
			}),
	}
}
