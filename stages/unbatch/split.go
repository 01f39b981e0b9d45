package unbatch

import (
	"fmt"
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
	ends   []int             // by reading: where its payload ends, its id, and its time
	text   []byte            // ids and times of the batch
	key    []byte
}

// series is what the topic follows from, in a batch of one device.
type series struct{ site, line, tag string }

// largeError says that payloads and topics are too long together.
type largeError struct{ readings, bytes, most int }

func (e *largeError) Error() string {
	return fmt.Sprintf("%s: the payloads and topics of %d readings have %d bytes, more than %d", batch.ReasonLimits, e.readings, e.bytes, e.most)
}

// likelyPayload is how many bytes of memory there are for each payload at first.
const likelyPayload = 192

// split makes a message of each reading of a batch that came as m, with at most
// most bytes of payloads and topics.
func (s *splitter) split(m *message.Message, e *batch.Envelope, rs []reading.Reading, most int) ([]*message.Message, error) {
	defer s.release()
	s.ends, s.text = s.ends[:0], s.text[:0]
	if s.topics == nil {
		s.topics = make(map[series]string)
	}
	payloads := make([]byte, 0, min(len(rs)*likelyPayload, most))
	id := append(append([]byte(e.Device), '/'), strconv.AppendUint(nil, e.Sequence, 10)...)
	id = append(id, '/')
	topics := 0
	for i := range rs {
		r := &rs[i]
		payloads = r.AppendJSON(payloads)
		topics += s.learn(r)
		if n := len(payloads) + topics; n > most {
			return nil, &largeError{i + 1, n, most}
		}
		s.text = strconv.AppendUint(append(s.text, id...), uint64(i), 10)
		idEnd := len(s.text)
		s.text = r.AppendTime(s.text)
		s.ends = append(s.ends, len(payloads), idEnd, len(s.text))
	}
	return s.messages(m, rs, payloads), nil
}

// learn makes the topic of a series that is new, and returns how long it is.
func (s *splitter) learn(r *reading.Reading) int {
	of := series{r.Site, r.Line, r.Tag}
	if _, known := s.topics[of]; known {
		return 0
	}
	s.key = r.AppendRoutingKey(s.key[:0])
	s.topics[of] = string(s.key)
	return len(s.key)
}

// messages puts together what split has made.
func (s *splitter) messages(m *message.Message, rs []reading.Reading, payloads []byte) []*message.Message {
	slab := make([]message.Message, len(rs))
	msgs := make([]*message.Message, len(rs))
	text := string(s.text)
	from, at := 0, 0
	for i := range rs {
		payloadEnd, idEnd, timeEnd := s.ends[3*i], s.ends[3*i+1], s.ends[3*i+2]
		made := &slab[i]
		made.UUID = text[at:idEnd]
		made.Payload = payloads[from:payloadEnd:payloadEnd]
		made.Metadata = message.Metadata{
			feed.MetaTopic:       s.topics[series{rs[i].Site, rs[i].Line, rs[i].Tag}],
			feed.MetaTime:        text[idEnd:timeEnd],
			feed.MetaContentType: contentType,
		}
		made.SetContext(m.Context())
		msgs[i] = made
		from, at = payloadEnd, timeEnd
	}
	return msgs
}

// release forgets the batch, and memory that only a large one needs.
func (s *splitter) release() {
	clear(s.topics)
	if cap(s.ends) > 3*keptReadings {
		*s = splitter{}
	}
}
