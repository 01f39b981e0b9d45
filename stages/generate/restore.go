package generate

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/maker"
)

// Format names the form of the properties of a reading in a feed.Original.
const Format = "generate"

// Restore makes the message of an original in [Format], as the source had made
// it.
func Restore(o feed.Original) (*message.Message, error) { return maker.Restore(o, contentType) }
