package config

import (
	"errors"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// parseOrderKey returns the function that an order key such as
// "{site}/{device}" stands for. The braces hold names of metadata; metadata
// that a message lacks counts as empty.
func parseOrderKey(template string) (func(*message.Message) string, error) {
	var literals, names []string // literals[i] stands before names[i]
	rest := template
	for {
		literal, after, more := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return nil, errors.New("has a closing brace without an opening one")
		}
		literals = append(literals, literal)
		if !more {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed || name == "" || strings.Contains(name, "{") {
			return nil, errors.New("has a brace that holds no name")
		}
		names, rest = append(names, name), tail
	}
	if len(names) == 0 {
		return nil, errors.New("is the same for all messages")
	}
	if template == "{"+feed.MetaTopic+"}" {
		return feed.Topic, nil
	}
	if len(names) == 1 && template == "{"+names[0]+"}" {
		name := names[0]
		return func(m *message.Message) string { return m.Metadata[name] }, nil
	}
	return func(m *message.Message) string {
		var b strings.Builder
		for i, name := range names {
			b.WriteString(literals[i])
			b.WriteString(m.Metadata[name])
		}
		b.WriteString(literals[len(names)])
		return b.String()
	}, nil
}
