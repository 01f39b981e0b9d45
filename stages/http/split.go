package http

import (
	"bytes"
	nethttp "net/http"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// split makes payloads of a body, at most so many. They share its memory. Room
// then has messageMemory for each.
func (s Split) split(body []byte, most int, room *reservation) ([][]byte, error) {
	payloads := payloads{most: most, room: room}
	var err error
	switch s {
	case SplitLines:
		err = splitLines(body, &payloads)
	case SplitArray:
		err = splitArray(body, &payloads)
	default:
		payloads.most = 1
		err = payloads.add(body)
	}
	if err != nil {
		return nil, err
	}
	room.shrink(int64(cap(payloads.list)-len(payloads.list)) * messageMemory)
	return payloads.list, nil
}

// payloads are the messages of a body. What they take is taken from room before.
type payloads struct {
	list [][]byte
	most int
	room *reservation
}

// leastPayloads is how many messages there is room for at first: a list that
// grows has room for less than twice as many as it holds, or for these.
const leastPayloads = 16

func (p *payloads) add(payload []byte) error {
	if len(p.list) == p.most {
		return refuse(nethttp.StatusRequestEntityTooLarge, "the body has more than %d messages", p.most)
	}
	if n := cap(p.list); len(p.list) == n {
		bigger := min(max(2*n, leastPayloads), p.most)
		if err := p.room.grow(int64(bigger-n) * messageMemory); err != nil {
			return err
		}
		p.list = append(make([][]byte, 0, bigger), p.list...)
	}
	p.list = append(p.list, payload[:len(payload):len(payload)])
	return nil
}

// splitLines adds the lines of NDJSON; empty ones are none.
func splitLines(body []byte, to *payloads) error {
	number := 0
	for line := range bytes.Lines(body) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if !jsonscan.Check(line).Valid {
			return refuse(nethttp.StatusBadRequest, "line %d is not JSON in UTF-8", number)
		}
		if err := to.add(line); err != nil {
			return err
		}
	}
	return nil
}

// splitArray adds the elements of a JSON array.
func splitArray(body []byte, to *payloads) error {
	var err error
	if !jsonscan.Elements(body, func(value []byte) bool {
		err = to.add(value)
		return err == nil
	}) {
		return refuse(nethttp.StatusBadRequest, "the body is no JSON array in UTF-8")
	}
	return err
}
