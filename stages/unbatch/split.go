package unbatch

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// contentType is that of a reading as JSON.
const contentType = "application/json"

// splitter makes messages of readings. The messages of a batch share their
// memory: whoever keeps one keeps all of it.
type splitter struct {
	topics map[series]string // of the batch
	parts  []part            // by reading
	text   []byte            // ids and times of the batch
	key    []byte
}

// part is what a message is made of: its topic, and where its payload, its id and
// its time end.
type part struct {
	topic                      string
	payloadEnd, idEnd, timeEnd int
}

// series is what the topic follows from, in a batch of one device.
type series struct{ site, line, tag string }

// largeError says that payloads and topics are too long together.
type largeError struct{ readings, bytes, most int }

func (e *largeError) Error() string {
	return fmt.Sprintf("%s: the payloads and topics of %d readings have %d bytes, more than %d", batch.ReasonLimits, e.readings, e.bytes, e.most)
}

// idChecksum is how many bytes of a batch's checksum stand in the ids of its
// readings: a sequence may begin again, and then they name others.
const idChecksum = 8

// likelyPayload is how many bytes of memory there are for each payload at first.
const likelyPayload = 192

// split makes a message of each reading of a batch that came as m, with at most
// most bytes of payloads and topics.
func (s *splitter) split(m *message.Message, e *batch.Envelope, rs []reading.Reading, most int) ([]*message.Message, error) {
	defer s.release()
	s.parts, s.text = slices.Grow(s.parts[:0], len(rs)), s.text[:0]
	if s.topics == nil {
		s.topics = make(map[series]string)
	}
	payloads := make([]byte, 0, min(len(rs)*likelyPayload, most))
	id := fmt.Appendf(nil, "%s/%d/%x/", e.Device, e.Sequence, e.Checksum[:idChecksum])
	s.text = slices.Grow(s.text, len(rs)*(len(id)+len("1000000"+"2026-11-21T03:04:05.123456789Z")))
	topics := 0 // bytes
	for i := range rs {
		r := &rs[i]
		payloads = r.AppendJSON(payloads)
		topic, fresh := s.topic(r)
		if fresh {
			topics += len(topic)
		}
		if n := len(payloads) + topics; n > most {
			return nil, &largeError{i + 1, n, most}
		}
		s.text = strconv.AppendUint(append(s.text, id...), uint64(i), 10)
		idEnd := len(s.text)
		s.text = r.AppendTime(s.text)
		s.parts = append(s.parts, part{topic, len(payloads), idEnd, len(s.text)})
	}
	return s.messages(m, payloads), nil
}

// topic returns the topic of a reading, and whether it is the first of its series.
func (s *splitter) topic(r *reading.Reading) (topic string, fresh bool) {
	of := series{r.Site, r.Line, r.Tag}
	topic, known := s.topics[of]
	if !known {
		s.key = r.AppendRoutingKey(s.key[:0])
		topic = string(s.key)
		s.topics[of] = topic
	}
	return topic, !known
}

// messages puts together what split has made.
func (s *splitter) messages(m *message.Message, payloads []byte) []*message.Message {
	slab := make([]message.Message, len(s.parts))
	msgs := make([]*message.Message, len(s.parts))
	text, ctx := string(s.text), m.Context()
	payload, id := 0, 0 // where they begin
	for i := range s.parts {
		p, made := &s.parts[i], &slab[i]
		made.UUID = text[id:p.idEnd]
		made.Payload = payloads[payload:p.payloadEnd:p.payloadEnd]
		made.Metadata = message.Metadata{
			feed.MetaTopic:       p.topic,
			feed.MetaTime:        text[p.idEnd:p.timeEnd],
			feed.MetaContentType: contentType,
		}
		made.SetContext(ctx)
		msgs[i] = made
		payload, id = p.payloadEnd, p.timeEnd
	}
	return msgs
}

// release forgets the batch, and memory that only a large one needs.
func (s *splitter) release() {
	clear(s.topics)
	clear(s.parts)
	if cap(s.parts) > keptReadings {
		*s = splitter{}
	}
}
