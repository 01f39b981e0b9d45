package maker

import (
	"encoding/json"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// properties are those of an item in a [feed.Original].
type properties struct {
	ID         string `json:"id"`
	RoutingKey string `json:"routingKey"`
	Time       string `json:"time"`
}

// describe returns an item as it was handed out.
func (it *Item) describe(about Description) (feed.Original, error) {
	described, err := json.Marshal(properties{it.ID, it.Topic, it.Time})
	if err != nil {
		return feed.Original{}, fmt.Errorf("%s: describe: %w", about.Format, err)
	}
	return feed.Original{Payload: it.Payload, Format: about.Format, Properties: described, Origin: about.Origin}, nil
}

// Restore makes the message of an original that a [Source] has described, whose
// messages all have the given content type.
func Restore(o feed.Original, contentType string) (*message.Message, error) {
	var p properties
	if err := json.Unmarshal(o.Properties, &p); err != nil {
		return nil, fmt.Errorf("%s: restore: %w", o.Format, err)
	}
	it := Item{ID: p.ID, Topic: p.RoutingKey, Time: p.Time, ContentType: contentType, Payload: o.Payload}
	return it.message(), nil
}
