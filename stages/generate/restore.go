package generate

import (
	"encoding/json"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Format names the form of the properties of a reading in a feed.Original.
const Format = "generate"

// properties are those of a reading as it was handed out.
type properties struct {
	ID         string `json:"id"`
	RoutingKey string `json:"routingKey"`
	Time       string `json:"time"`
}

// Restore makes the message of an original in [Format], as the source had made
// it.
func Restore(o feed.Original) (*message.Message, error) {
	var p properties
	if err := json.Unmarshal(o.Properties, &p); err != nil {
		return nil, fmt.Errorf("generate: restore: %w", err)
	}
	it := item{uuid: p.ID, key: p.RoutingKey, time: p.Time, payload: o.Payload}
	return it.message(), nil
}
