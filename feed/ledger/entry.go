package ledger

import (
	"fmt"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Entry is a record as it was read.
type Entry struct {
	Feed  string `json:"feed"`
	Route string `json:"route"`
	// Source and Sink are the names of the stages, From and To where they read
	// and write.
	Source string `json:"source"`
	Sink   string `json:"sink"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`

	// ID, Topic, Size and Digest are of the message that was made for the sink.
	ID     string `json:"id"`
	Topic  string `json:"topic,omitempty"`
	Size   int    `json:"size"`   // bytes of the payload
	Digest string `json:"digest"` // CRC-32C of the payload, in hexadecimal

	// DeliveryID and DeliveryTopic are as the delivery came, Received when.
	DeliveryID    string    `json:"deliveryId"`
	DeliveryTopic string    `json:"deliveryTopic,omitempty"`
	DeliveryTag   uint64    `json:"deliveryTag"`
	Offset        *uint64   `json:"offset,omitempty"` // in the stream, if it came from one
	Received      time.Time `json:"received"`

	Outcome string       `json:"outcome"` // delivered, filtered, quarantined or returned
	Reason  string       `json:"reason,omitempty"`
	Places  []feed.Place `json:"places,omitempty"`
	Done    time.Time    `json:"done"`

	Reading *Identity `json:"reading,omitempty"` // if the payload, or else that of the delivery, is one
}

// Identity is what a reading is known by. It can be compared.
type Identity struct {
	Device string `json:"device"`
	Tag    string `json:"tag"`
	// Time is in nanoseconds since 1970 UTC; 0 when what stands there is no time.
	Time int64  `json:"time"`
	Seq  uint64 `json:"seq"`
}

// Cause says in a line what became of the message, for lists of what is wrong.
func (e *Entry) Cause() string {
	switch {
	case e.Outcome == feed.Delivered.String():
		return fmt.Sprintf("delivered by %s to %s at %s", e.Route, e.Target(), e.Done.UTC().Format(time.RFC3339))
	case e.Outcome == feed.Returned.String():
		return fmt.Sprintf("given back by %s: %s", e.Route, e.Reason)
	}
	return fmt.Sprintf("%s by %s: %s", e.Outcome, e.Route, e.Reason)
}

// Target says where the message went: the objects that it stands in, or else its
// topic, and where that is.
func (e *Entry) Target() string {
	at := e.Topic
	if len(e.Places) > 0 {
		texts := make([]string, len(e.Places))
		for i, p := range e.Places {
			texts[i] = p.Object
			if p.Position > 0 {
				texts[i] = fmt.Sprintf("%s:%d", p.Object, p.Position)
			}
		}
		at = strings.Join(texts, ", ")
	}
	return strings.Join(notEmpty(e.Sink, e.To, at), " ")
}

// Origin says where the delivery came from.
func (e *Entry) Origin() string {
	place := ""
	if e.Offset != nil {
		place = fmt.Sprintf("offset %d", *e.Offset)
	}
	return strings.Join(notEmpty(e.Source, e.From, e.DeliveryTopic, place), " ")
}

func notEmpty(texts ...string) []string {
	kept := texts[:0]
	for _, t := range texts {
		if t != "" {
			kept = append(kept, t)
		}
	}
	return kept
}
