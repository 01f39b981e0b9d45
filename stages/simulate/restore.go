package simulate

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/internal/maker"
)

// Format names the form of the properties of a batch in a feed.Original.
const Format = "simulate"

// Restore makes the message of an original in [Format], as the source had made
// it.
func Restore(o feed.Original) (*message.Message, error) { return maker.Restore(o, batch.ContentType) }
