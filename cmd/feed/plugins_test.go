package main

import (
	"errors"
	"strings"

	watermill "github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins"
)

// acmePlugin is the plugin of the scripts.
func acmePlugin() {
	plugins.Serve("ACME stages", "1.2.3", feed.TransformFactory("acme", "Writes payloads in capitals.",
		func() acmeConfig { return acmeConfig{Refuse: "nothing"} },
		func(c acmeConfig, _ feed.StageEnv) (feed.Transform, error) {
			return feed.Transform{Func: func(m *watermill.Message) ([]*watermill.Message, error) {
				if string(m.Payload) == c.Refuse {
					return nil, feed.Permanent(errors.New("it is refused"))
				}
				m.Payload = []byte(strings.ToUpper(string(m.Payload)))
				return []*watermill.Message{m}, nil
			}}, nil
		}))
}

type acmeConfig struct {
	Refuse string `yaml:"refuse" doc:"The payload that is refused."`
}

// Validate implements [feed.StageConfig].
func (c *acmeConfig) Validate() error {
	if c.Refuse == "" {
		return &feed.ConfigError{Key: "refuse", Problem: "is empty", Remedy: "write a payload"}
	}
	return nil
}
