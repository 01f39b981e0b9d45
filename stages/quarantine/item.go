package quarantine

import (
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Item is a message in the quarantine.
type Item struct {
	feed.QuarantineItem
	ID   int64  // increases in the order of storing
	UUID string // names the item across files
	// PayloadBytes is the length of the payload, which List leaves out.
	PayloadBytes int64
}

// toMessage returns the message that carries an item to its row. Without a time
// the item gets the current one.
func toMessage(it *feed.QuarantineItem) *message.Message {
	at := it.Time
	if at.IsZero() {
		at = time.Now()
	}
	m := message.NewMessage(watermill.NewUUID(), it.Payload)
	m.Metadata[metaTime] = at.UTC().Format(time.RFC3339Nano)
	m.Metadata[metaRoute] = it.Route
	m.Metadata[metaStage] = it.Stage
	m.Metadata[metaReason] = it.Reason
	m.Metadata[metaOrigin] = it.Origin
	m.Metadata[metaFormat] = it.Format
	m.Metadata[metaProperties] = string(it.Properties)
	return m
}

// fromMessage is the reverse of toMessage.
func fromMessage(id int64, m *message.Message) (Item, error) {
	at, err := time.Parse(time.RFC3339Nano, m.Metadata[metaTime])
	if err != nil {
		return Item{}, fmt.Errorf("item %d: %w", id, err)
	}
	return Item{
		ID:           id,
		UUID:         m.UUID,
		PayloadBytes: int64(len(m.Payload)),
		QuarantineItem: feed.QuarantineItem{
			Original: feed.Original{
				Payload:    m.Payload,
				Format:     m.Metadata[metaFormat],
				Properties: []byte(m.Metadata[metaProperties]),
				Origin:     m.Metadata[metaOrigin],
			},
			Route:  m.Metadata[metaRoute],
			Stage:  m.Metadata[metaStage],
			Reason: m.Metadata[metaReason],
			Time:   at,
		},
	}, nil
}
