package log

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
)

// appendPayload appends a line with the payload of m.
func appendPayload(dst []byte, m *message.Message) []byte {
	if printable(m.Payload) {
		dst = append(dst, m.Payload...)
	} else {
		dst = strconv.AppendQuote(dst, string(m.Payload))
	}
	return append(dst, '\n')
}

// printable reports whether b is one line of UTF-8 without control characters,
// and cannot be taken for a quoted string.
func printable(b []byte) bool {
	if len(b) > 0 && b[0] == '"' && !json.Valid(b) || !utf8.Valid(b) {
		return false
	}
	return !bytes.ContainsFunc(b, func(r rune) bool { return r != '\t' && !unicode.IsGraphic(r) })
}

// record is a line of FormatJSON.
type record struct {
	Topic    string            `json:"topic"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Payload  *string           `json:"payload,omitempty"`
	Base64   []byte            `json:"payloadBase64,omitempty"`
}

// appendJSON appends a line with m as a JSON object.
func appendJSON(dst []byte, topic string, m *message.Message) ([]byte, error) {
	r := record{Topic: topic, Metadata: m.Metadata}
	if utf8.Valid(m.Payload) {
		text := string(m.Payload)
		r.Payload = &text
	} else {
		r.Base64 = m.Payload
	}
	line, err := json.Marshal(r)
	if err != nil {
		return dst, fmt.Errorf("log: encode message: %w", err)
	}
	return append(append(dst, line...), '\n'), nil
}
