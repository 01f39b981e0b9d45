package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

var celsiusFactory = feed.TransformFactory("celsius", "Converts a member of the payload from Fahrenheit to Celsius.",
	func() celsiusConfig { return celsiusConfig{Field: "value"} },
	func(c celsiusConfig, _ feed.StageEnv) (feed.Transform, error) {
		return feed.Transform{Func: c.convert}, nil
	})

type celsiusConfig struct {
	Field string `yaml:"field" doc:"Member of the payload that is a temperature in Fahrenheit."`
}

// Validate reports what is wrong with the settings.
func (c *celsiusConfig) Validate() error {
	if c.Field == "" {
		return &feed.ConfigError{Key: "field", Problem: "is empty", Remedy: "name the member of the payload"}
	}
	return nil
}

// convert makes one message of one. It drops readings without a value, which is
// counted, and refuses for good what is no reading.
func (c celsiusConfig) convert(m *message.Message) ([]*message.Message, error) {
	var members map[string]any
	if err := json.Unmarshal(m.Payload, &members); err != nil {
		return nil, feed.Permanent(fmt.Errorf("not a reading: %w", err))
	}
	switch value := members[c.Field].(type) {
	case nil:
		return nil, feed.Filter("no value")
	case float64:
		members[c.Field] = (value - 32) / 1.8
	default:
		return nil, feed.Permanent(errors.New(c.Field + " is no number"))
	}
	payload, err := json.Marshal(members)
	if err != nil {
		return nil, feed.Permanent(err)
	}
	m.Payload = payload // another one: the bytes of a payload are never written into
	return []*message.Message{m}, nil
}
