package feed

import (
	"encoding/json"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// FormatWatermill is the format of an [Original] that is known by nothing but
// its Watermill form: a document with the UUID and the metadata of the message.
const FormatWatermill = "watermill"

// RestoreWatermill makes the message of an [Original] in [FormatWatermill].
func RestoreWatermill(o Original) (*message.Message, error) {
	var p watermillProperties
	if err := json.Unmarshal(o.Properties, &p); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	m := message.NewMessage(p.UUID, o.Payload)
	for k, v := range p.Metadata {
		m.Metadata[k] = v
	}
	return m, nil
}

// watermillProperties are the properties of an [Original] in [FormatWatermill].
type watermillProperties struct {
	UUID     string           `json:"uuid,omitempty"`
	Metadata message.Metadata `json:"metadata,omitempty"`
}
