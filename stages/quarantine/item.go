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
	UUID string // names the item across databases
	Feed string // that quarantined it
	// PayloadBytes is the length of the payload, which List leaves out.
	PayloadBytes int64
	// Replayed and Exported say what was done with the item last.
	Replayed, Exported Mark
}

// Mark says when something was done with an item, and to where. It is zero when
// it was not done.
type Mark struct {
	Time time.Time // when the run that did it ended
	To   string
}

// IsZero reports whether nothing was done.
func (m Mark) IsZero() bool { return m.Time.IsZero() }

// mark is a Mark as it is stored.
type mark struct{ at, to string }

func (m mark) decode(s schema) (Mark, error) {
	if m.at == "" {
		return Mark{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, m.at)
	if err != nil {
		return Mark{}, err
	}
	to, err := s.decode(m.to)
	return Mark{at, to}, err
}

// toMessage returns the message that carries an item of a feed to its row.
// Without a time the item gets the current one.
func toMessage(feedName string, it *feed.QuarantineItem) *message.Message {
	at := it.Time
	if at.IsZero() {
		at = time.Now()
	}
	m := message.NewMessage(watermill.NewUUID(), it.Payload)
	m.Metadata[metaTime] = at.UTC().Format(time.RFC3339Nano)
	m.Metadata[metaFeed] = feedName
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
		Feed:         m.Metadata[metaFeed],
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
