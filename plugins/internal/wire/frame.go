package wire

import (
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/kraft-edge/datafeed/feed"
)

// Frame is a request or a response on its way out, encoded as it is put together.
// It is sent once, and belongs to gRPC from then on.
type Frame struct {
	field protowire.Number // of the one field that the request or response has
	body  *[]byte
}

// NewBatch begins a batch of messages: a request of a transform or a sink.
func NewBatch(number uint64) *Frame {
	f := newFrame(requestBatch)
	*f.body = appendNumber(*f.body, batchNumber, number)
	return f
}

// Received says of a batch when it was received, in nanoseconds since 1970 UTC.
func (f *Frame) Received(at int64) {
	b := protowire.AppendTag(*f.body, batchReceived, protowire.Fixed64Type)
	*f.body = protowire.AppendFixed64(b, uint64(at))
}

// NewMade begins the response to a batch.
func NewMade(number uint64) *Frame {
	f := newFrame(responseMade)
	*f.body = appendNumber(*f.body, madeNumber, number)
	return f
}

// NewDeliveries begins a response with deliveries.
func NewDeliveries() *Frame { return newFrame(responseDeliveries) }

// Len is how many bytes the frame has so far.
func (f *Frame) Len() int { return len(*f.body) }

// Truncate takes back what was added since the frame had n bytes.
func (f *Frame) Truncate(n int) { *f.body = (*f.body)[:n] }

// Discard lets go of a frame that is not sent.
func (f *Frame) Discard() {
	bodies.Put(f.body)
	f.body = nil
}

// AddMessage appends a message to a batch. The error is a message's that cannot
// be sent, and the frame is as it was before.
func (f *Frame) AddMessage(m *message.Message) error {
	b := *f.body
	start := len(b)
	b, at := begin(b, batchMessages)
	b, err := appendMessage(b, m)
	if err != nil {
		*f.body = b[:start]
		return err
	}
	*f.body = end(b, at)
	return nil
}

// AddMade appends what was made of message i of a batch. It is as with AddMessage.
func (f *Frame) AddMade(of *Batch, i int, msgs []*message.Message) error {
	b := *f.body
	start := len(b)
	b, outer := begin(b, madeResults)
	short := len(msgs) == 1 && len(of.originals[i].entries) <= manyEntries
	for _, m := range msgs {
		var inner int
		var err error
		if short {
			b, inner = begin(b, resultChanged)
			b, err = of.originals[i].appendChanged(b, m)
		} else {
			b, inner = begin(b, resultMessages)
			b, err = appendMessage(b, m)
		}
		if err != nil {
			*f.body = b[:start]
			return err
		}
		b = end(b, inner)
	}
	*f.body = end(b, outer)
	return nil
}

// AddFiltered appends that a message was dropped on purpose.
func (f *Frame) AddFiltered(reason string) {
	b, at := begin(*f.body, madeResults)
	b = protowire.AppendTag(b, resultFiltered, protowire.BytesType)
	b = protowire.AppendString(b, Text(reason))
	*f.body = end(b, at)
}

// AddFailed appends why nothing could be made of a message.
func (f *Frame) AddFailed(failure Failure) {
	b, at := begin(*f.body, madeResults)
	b, inner := begin(b, resultFailure)
	b = failure.append(b)
	b = end(b, inner)
	*f.body = end(b, at)
}

// More says that another response to the same batch follows.
func (f *Frame) More() { *f.body = appendNumber(*f.body, madeMore, 1) }

// AddDelivery appends a delivery. It is as with AddMessage.
func (f *Frame) AddDelivery(d feed.Delivery) error {
	b := *f.body
	start := len(b)
	b, outer := begin(b, deliveriesDelivery)
	b, inner := begin(b, deliveryMessage)
	b, err := appendMessage(b, d.Message)
	if err != nil {
		*f.body = b[:start]
		return err
	}
	b = end(b, inner)
	b = appendNumber(b, deliveryTag, d.Tag)
	if d.Redelivered {
		b = appendNumber(b, deliveryRedelivered, 1)
	}
	*f.body = end(b, outer)
	return nil
}

// buffers hands the frame to gRPC, which gives its memory back when it is written.
func (f *Frame) buffers() mem.BufferSlice {
	head := make([]byte, 0, 8)
	head = protowire.AppendTag(head, f.field, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(*f.body)))
	return mem.BufferSlice{mem.SliceBuffer(head), mem.NewBuffer(f.body, bodyPool{})}
}

// bodies are those of frames, and of messages while they are decoded. A batch is
// like the one before it, so that a body seldom has to grow; gRPC's own pool would
// clear a megabyte for each.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

func newFrame(field protowire.Number) *Frame {
	body := bodies.Get().(*[]byte)
	*body = (*body)[:0]
	return &Frame{field: field, body: body}
}

// bodyPool is the bodies as gRPC takes them, and gives them back.
type bodyPool struct{}

func (bodyPool) Get(n int) *[]byte {
	b := bodies.Get().(*[]byte)
	*b = slices.Grow((*b)[:0], n)[:n]
	return b
}

func (bodyPool) Put(b *[]byte) { bodies.Put(b) }

// lengthRoom is what is kept free for a length: two bytes do for most messages.
const lengthRoom = 2

// begin begins a field with a length that is not known yet.
func begin(b []byte, field protowire.Number) ([]byte, int) {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	for range lengthRoom {
		b = append(b, 0)
	}
	return b, len(b)
}

// end writes the length of what was appended since begin, and moves that when the
// length takes more or less than its room.
func end(b []byte, at int) []byte {
	n := len(b) - at
	size := protowire.SizeVarint(uint64(n))
	if size != lengthRoom {
		var pad [8]byte
		if size > lengthRoom {
			b = append(b, pad[:size-lengthRoom]...)
		}
		copy(b[at+size-lengthRoom:], b[at:at+n])
		b = b[:at+size-lengthRoom+n]
	}
	protowire.AppendVarint(b[:at-lengthRoom], uint64(n))
	return b
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, n)
}

func appendMessage(b []byte, m *message.Message) ([]byte, error) {
	if err := sendable(m); err != nil {
		return b, err
	}
	if m.UUID != "" {
		b = protowire.AppendTag(b, messageUUID, protowire.BytesType)
		b = protowire.AppendString(b, m.UUID)
	}
	if len(m.Payload) > 0 {
		b = protowire.AppendTag(b, messagePayload, protowire.BytesType)
		b = protowire.AppendBytes(b, m.Payload)
	}
	for k, v := range m.Metadata {
		var err error
		if b, err = appendEntry(b, messageMetadata, k, v); err != nil {
			return b, err
		}
	}
	return b, nil
}
