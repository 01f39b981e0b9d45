package http

import (
	"encoding/json"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Format names the form of the properties of a message in a feed.Original: see
// the package comment.
const Format = "http"

// Restore makes the message of an original in [Format], as the source had made
// it of the request.
func Restore(original feed.Original) (*message.Message, error) {
	var o origin
	if err := json.Unmarshal(original.Properties, &o); err != nil {
		return nil, fmt.Errorf("http: restore: %w", err)
	}
	return o.message(original.Payload), nil
}
