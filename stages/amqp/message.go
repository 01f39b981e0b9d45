package amqp

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

// fill makes m the message of a delivery with the given properties. The payload
// is the delivery's own.
func fill(m *message.Message, d *delivery, p *Properties) {
	m.UUID = p.MessageID
	m.Metadata = metadata(p)
	m.Payload = d.body
}

// metadata keeps the map small: what stages share, then the headers, unless
// they are unreadable.
func metadata(p *Properties) message.Metadata {
	md := make(message.Metadata, 1+len(p.Headers))
	for k, v := range p.Headers {
		if !feed.ReservedMetadata(k) {
			md[k] = headerText(v)
		}
	}
	md[feed.MetaTopic] = p.RoutingKey
	if p.ContentType != "" {
		md[feed.MetaContentType] = p.ContentType
	}
	if !p.Timestamp.IsZero() {
		md[feed.MetaTime] = formatTime(p.Timestamp)
	}
	if p.CorrelationID != "" {
		md[feed.MetaCorrelationID] = p.CorrelationID
	}
	if p.ReplyTo != "" {
		md[feed.MetaReplyTo] = p.ReplyTo
	}
	return md
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// headerText shows a header as text. Tables and arrays become plain JSON; the
// types stay available through Describe.
func headerText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case amqp091.Table, []any:
		raw, err := json.Marshal(plainJSON(v))
		if err != nil {
			return ""
		}
		return string(raw)
	}
	if s, ok := plainJSON(value).(string); ok {
		return s
	}
	switch v := value.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int8:
		return strconv.Itoa(int(v))
	case uint8:
		return strconv.Itoa(int(v))
	case int16:
		return strconv.Itoa(int(v))
	case uint16:
		return strconv.Itoa(int(v))
	case int32:
		return strconv.Itoa(int(v))
	case uint32:
		return strconv.FormatUint(uint64(v), 10)
	case int64:
		return strconv.FormatInt(v, 10)
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return "" // void
}

// plainJSON returns value as something that package json can always encode:
// what JSON has no type for becomes text.
func plainJSON(value any) any {
	switch v := value.(type) {
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return formatTime(v)
	case amqp091.Decimal:
		return decimalText(v)
	case float32:
		if v != v || v-v != 0 { // NaN and the infinities
			return strconv.FormatFloat(float64(v), 'g', -1, 32)
		}
	case float64:
		if v != v || v-v != 0 {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	case amqp091.Table:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = plainJSON(e)
		}
		return m
	case []any:
		a := make([]any, len(v))
		for i, e := range v {
			a[i] = plainJSON(e)
		}
		return a
	}
	return value
}

// decimalText writes 12345 with scale 2 as 123.45.
func decimalText(d amqp091.Decimal) string {
	digits := strconv.FormatInt(int64(d.Value), 10)
	if d.Scale == 0 {
		return digits
	}
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for len(digits) <= int(d.Scale) {
		digits = "0" + digits
	}
	point := len(digits) - int(d.Scale)
	return sign + digits[:point] + "." + digits[point:]
}
