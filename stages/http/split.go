package http

import (
	"bytes"
	nethttp "net/http"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// split makes payloads of a body, at most so many. They share its memory.
func (s Split) split(body []byte, most int) ([][]byte, error) {
	switch s {
	case SplitLines:
		return splitLines(body, most)
	case SplitArray:
		return splitArray(body, most)
	}
	return [][]byte{body}, nil
}

func tooMany(most int) error {
	return refuse(nethttp.StatusRequestEntityTooLarge, "the body has more than %d messages", most)
}

// splitLines returns the lines of NDJSON; empty ones are none.
func splitLines(body []byte, most int) ([][]byte, error) {
	var payloads [][]byte
	number := 0
	for line := range bytes.Lines(body) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if !jsonscan.Check(line).Valid {
			return nil, refuse(nethttp.StatusBadRequest, "line %d is not JSON in UTF-8", number)
		}
		if len(payloads) == most {
			return nil, tooMany(most)
		}
		payloads = append(payloads, line[:len(line):len(line)])
	}
	return payloads, nil
}

// splitArray returns the elements of a JSON array.
func splitArray(body []byte, most int) ([][]byte, error) {
	var payloads [][]byte
	more := false
	if !jsonscan.Elements(body, func(value []byte) bool {
		if more = len(payloads) == most; !more {
			payloads = append(payloads, value[:len(value):len(value)])
		}
		return !more
	}) {
		return nil, refuse(nethttp.StatusBadRequest, "the body is no JSON array in UTF-8")
	}
	if more {
		return nil, tooMany(most)
	}
	return payloads, nil
}
