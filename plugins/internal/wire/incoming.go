package wire

import (
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Batch is a decoded batch. Its slices are of use until the next one is received.
type Batch struct {
	Number    uint64
	Received  int64 // nanoseconds since 1970 UTC; 0 when it was not said
	Messages  []*message.Message
	originals []original
}

// TransformRequest is received into: a batch, or else what Other says.
type TransformRequest struct {
	IsBatch bool
	Batch   Batch
	Other   *pluginpb.TransformRequest
	decoder decoder
}

func (r *TransformRequest) unmarshal(b []byte) error {
	r.Other = nil
	is, err := r.decoder.batch(b, &r.Batch)
	if err != nil || is {
		r.IsBatch = is
		return err
	}
	r.IsBatch, r.Other = false, new(pluginpb.TransformRequest)
	return proto.Unmarshal(b, r.Other)
}

// SinkRequest is received into: a batch to publish, or else what Other says.
type SinkRequest struct {
	IsPublish bool
	Publish   Batch
	Other     *pluginpb.SinkRequest
	decoder   decoder
}

func (r *SinkRequest) unmarshal(b []byte) error {
	r.Other = nil
	is, err := r.decoder.batch(b, &r.Publish)
	if err != nil || is {
		r.IsPublish = is
		return err
	}
	r.IsPublish, r.Other = false, new(pluginpb.SinkRequest)
	return proto.Unmarshal(b, r.Other)
}

// Result is what a transform has made of a message: of Messages, Filtered, Failure
// and IsChanged one is set.
type Result struct {
	Messages  []*message.Message
	Filtered  string
	Failure   Failure
	IsChanged bool
	Changed   Change // of use until the next response is received
}

// TransformResponse is received into: what was made of a batch, or else what Other
// says. Results is of use until the next one is received; the slices of messages
// are the receiver's.
type TransformResponse struct {
	IsMade  bool
	Number  uint64
	Results []Result
	More    bool // another one follows with the next results
	Other   *pluginpb.TransformResponse
	decoder decoder
	made    []*message.Message
}

func (r *TransformResponse) unmarshal(b []byte) error {
	r.Other = nil
	body, is, err := only(b, responseMade)
	if err != nil {
		return err
	}
	if r.IsMade = is; !is {
		r.Other = new(pluginpb.TransformResponse)
		return proto.Unmarshal(b, r.Other)
	}
	clear(r.Results)
	r.Number, r.Results, r.More, r.made = 0, r.Results[:0], false, make([]*message.Message, 0, len(r.Results)+1)
	r.decoder.begin()
	budget := newBudget()
	return fields(body, func(f field) error {
		switch f.number {
		case madeNumber:
			r.Number = f.varint
		case madeMore:
			r.More = f.varint != 0
		case madeResults:
			if len(r.Results) >= maxMessages {
				return errTooMany
			}
			result, err := r.result(f.bytes, &budget)
			if err != nil {
				return fmt.Errorf("result %d: %w", len(r.Results), err)
			}
			r.Results = append(r.Results, result)
		}
		return nil
	})
}

func (r *TransformResponse) result(b []byte, budget *budget) (Result, error) {
	var result Result
	start := len(r.made)
	err := fields(b, func(f field) error {
		switch f.number {
		case resultMessages:
			m, err := r.decoder.message(f.bytes, budget)
			if err != nil {
				return err
			}
			r.made = append(r.made, m)
		case resultFiltered:
			reason, err := text(f.bytes)
			result.Filtered = reason
			return err
		case resultFailure:
			failure, err := failureIn(f.bytes)
			result.Failure = failure
			return err
		case resultChanged:
			change, err := r.decoder.change(f.bytes, budget)
			result.IsChanged, result.Changed = true, change
			return err
		}
		return nil
	})
	if err != nil {
		return result, err
	}
	result.Messages = r.made[start:len(r.made):len(r.made)]
	set := 0
	for _, is := range [...]bool{len(result.Messages) > 0, result.Filtered != "", result.Failure != Failure{}, result.IsChanged} {
		if is {
			set++
		}
	}
	if set > 1 {
		return result, errors.New("it has more than one of messages, changes, a reason to be filtered, and a failure")
	}
	return result, nil
}

func failureIn(b []byte) (Failure, error) {
	var said string
	var permanent, fatal bool
	err := fields(b, func(f field) (err error) {
		switch f.number {
		case failureText:
			said, err = text(f.bytes)
		case failureForever:
			permanent = f.varint != 0
		case failureFatal:
			fatal = f.varint != 0
		}
		return err
	})
	return failureWith(said, permanent, fatal), err
}

// SourceResponse is received into: deliveries, or else what Other says. The slice
// is the receiver's.
type SourceResponse struct {
	IsDeliveries bool
	Deliveries   []feed.Delivery
	Bytes        int // of the deliveries, as encoded
	Other        *pluginpb.SourceResponse
	decoder      decoder
}

func (r *SourceResponse) unmarshal(b []byte) error {
	r.Other, r.Deliveries = nil, nil
	body, is, err := only(b, responseDeliveries)
	if err != nil {
		return err
	}
	if r.IsDeliveries = is; !is {
		r.Other = new(pluginpb.SourceResponse)
		return proto.Unmarshal(b, r.Other)
	}
	r.Bytes = len(body)
	r.decoder.begin()
	budget := newBudget()
	return fields(body, func(f field) error {
		if f.number != deliveriesDelivery {
			return nil
		}
		var d feed.Delivery
		err := fields(f.bytes, func(f field) (err error) {
			switch f.number {
			case deliveryMessage:
				d.Message, err = r.decoder.message(f.bytes, &budget)
			case deliveryTag:
				d.Tag = f.varint
			case deliveryRedelivered:
				d.Redelivered = f.varint != 0
			}
			return err
		})
		switch {
		case err != nil:
			return fmt.Errorf("delivery %d: %w", len(r.Deliveries), err)
		case d.Message == nil:
			return fmt.Errorf("delivery %d has no message", len(r.Deliveries))
		}
		r.Deliveries = append(r.Deliveries, d)
		return nil
	})
}

// text returns a text of the wire.
func text(b []byte) (string, error) {
	s := string(b)
	if Text(s) != s {
		return "", fmt.Errorf("the text %.40q is no UTF-8, or longer than %d bytes", s, failureTextLong)
	}
	return s, nil
}

// only returns the bytes of the given field when b has that one field. When it has
// it among others, which no end writes, that is an error.
func only(b []byte, number protowire.Number) (body []byte, is bool, err error) {
	n := 0
	err = fields(b, func(f field) error {
		n++
		if f.number == number {
			if f.bytes == nil {
				return errType
			}
			body, is = f.bytes, true
		}
		return nil
	})
	if err == nil && is && n > 1 {
		err = errors.New("it is two things at once")
	}
	return body, is, err
}
