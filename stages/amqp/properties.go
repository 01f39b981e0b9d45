package amqp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// Format names the encoding of [EncodeProperties] in a feed.Original.
const Format = "amqp-0-9-1"

// Properties are everything but the body of an AMQP message. The zero value of
// a field stands for a property that is absent, as in the client library. The
// package comment states their JSON form.
type Properties struct {
	Exchange   string
	RoutingKey string
	Headers    amqp091.Table
	// RawHeaders stand in the place of Headers that nest too deep or are
	// malformed: an AMQP table without its length.
	RawHeaders      []byte
	ContentType     string
	ContentEncoding string
	DeliveryMode    uint8
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string
	MessageID       string
	Timestamp       time.Time // whole seconds
	Type            string
	UserID          string
	AppID           string
}

// Publishing returns the message to publish to get the same one again. The
// exchange and the routing key are the arguments of the publish. It fails when
// RawHeaders are malformed: the client library cannot send those.
func (p Properties) Publishing(body []byte) (amqp091.Publishing, error) {
	headers := p.Headers
	if len(p.RawHeaders) > 0 {
		var err error
		if headers, err = p.readRawHeaders(); err != nil {
			return amqp091.Publishing{}, fmt.Errorf("publishing: %w", err)
		}
	}
	return amqp091.Publishing{
		Headers: headers, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding,
		DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationId: p.CorrelationID,
		ReplyTo: p.ReplyTo, Expiration: p.Expiration, MessageId: p.MessageID, Timestamp: p.Timestamp,
		Type: p.Type, UserId: p.UserID, AppId: p.AppID, Body: body,
	}, nil
}

// readRawHeaders reads RawHeaders however deep they nest; their size bounds
// that.
func (p Properties) readRawHeaders() (amqp091.Table, error) {
	switch {
	case p.Headers != nil:
		return nil, errTwoHeaders
	case len(p.RawHeaders) > maxFrame:
		return nil, fmt.Errorf("raw headers of %d bytes exceed the %d bytes of a frame", len(p.RawHeaders), maxFrame)
	}
	t, err := readTable(p.RawHeaders, len(p.RawHeaders))
	if err != nil {
		return nil, fmt.Errorf("read raw headers: %w", err)
	}
	return t, nil
}

var errTwoHeaders = errors.New("there are both headers and raw headers")

// document is the JSON form of Properties.
type document struct {
	Exchange        text             `json:"exchange,omitempty"`
	RoutingKey      text             `json:"routingKey,omitempty"`
	Headers         map[string]field `json:"headers,omitempty"`
	RawHeaders      []byte           `json:"rawHeaders,omitempty"`
	ContentType     text             `json:"contentType,omitempty"`
	ContentEncoding text             `json:"contentEncoding,omitempty"`
	DeliveryMode    uint8            `json:"deliveryMode,omitempty"`
	Priority        uint8            `json:"priority,omitempty"`
	CorrelationID   text             `json:"correlationId,omitempty"`
	ReplyTo         text             `json:"replyTo,omitempty"`
	Expiration      text             `json:"expiration,omitempty"`
	MessageID       text             `json:"messageId,omitempty"`
	Timestamp       *int64           `json:"timestamp,omitempty"`
	Type            text             `json:"type,omitempty"`
	UserID          text             `json:"userId,omitempty"`
	AppID           text             `json:"appId,omitempty"`
}

// field is one typed value.
type field struct {
	T string          `json:"t"`
	V json.RawMessage `json:"v,omitempty"`
}

// maxDepth bounds the nesting of headers in JSON, above that of deliveries.
const maxDepth = 40

// errTooDeep is about headers that JSON carries as raw ones.
var errTooDeep = fmt.Errorf("headers nest deeper than %d", maxDepth)

// EncodeProperties returns p as a JSON document from which
// [DecodeProperties] restores it exactly; only Headers that nest deeper than
// 40 become RawHeaders. It never fails on what came from a broker, but on
// Headers that AMQP cannot carry, such as a value of a type that it does not
// have, and on Headers together with RawHeaders.
func EncodeProperties(p Properties) ([]byte, error) {
	doc := document{
		Exchange: text(p.Exchange), RoutingKey: text(p.RoutingKey), RawHeaders: p.RawHeaders,
		ContentType: text(p.ContentType), ContentEncoding: text(p.ContentEncoding),
		DeliveryMode: p.DeliveryMode, Priority: p.Priority,
		CorrelationID: text(p.CorrelationID), ReplyTo: text(p.ReplyTo), Expiration: text(p.Expiration),
		MessageID: text(p.MessageID), Type: text(p.Type), UserID: text(p.UserID), AppID: text(p.AppID),
	}
	if !p.Timestamp.IsZero() {
		sec := p.Timestamp.Unix()
		doc.Timestamp = &sec
	}
	if p.Headers != nil && len(p.RawHeaders) > 0 {
		return nil, fmt.Errorf("encode properties: %w", errTwoHeaders)
	}
	var err error
	doc.Headers, err = encodeTable(p.Headers, 0)
	if errors.Is(err, errTooDeep) {
		doc.RawHeaders, err = writeTable(p.Headers)
	}
	if err != nil {
		return nil, fmt.Errorf("encode properties: %w", err)
	}
	out, err := marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode properties: %w", err)
	}
	return out, nil
}

// DecodeProperties is the reverse of [EncodeProperties].
func DecodeProperties(data []byte) (Properties, error) {
	var doc document
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return Properties{}, fmt.Errorf("decode properties: %w", err)
	}
	if dec.More() {
		return Properties{}, errors.New("decode properties: more than one document")
	}
	if len(doc.Headers) > 0 && len(doc.RawHeaders) > 0 {
		return Properties{}, fmt.Errorf("decode properties: %w", errTwoHeaders)
	}
	p := Properties{
		Exchange: string(doc.Exchange), RoutingKey: string(doc.RoutingKey), RawHeaders: doc.RawHeaders,
		ContentType: string(doc.ContentType), ContentEncoding: string(doc.ContentEncoding),
		DeliveryMode: doc.DeliveryMode, Priority: doc.Priority,
		CorrelationID: string(doc.CorrelationID), ReplyTo: string(doc.ReplyTo), Expiration: string(doc.Expiration),
		MessageID: string(doc.MessageID), Type: string(doc.Type), UserID: string(doc.UserID), AppID: string(doc.AppID),
	}
	if doc.Timestamp != nil {
		p.Timestamp = time.Unix(*doc.Timestamp, 0).UTC()
	}
	if len(doc.Headers) > 0 {
		t, err := decodeTable(doc.Headers, 0)
		if err != nil {
			return Properties{}, fmt.Errorf("decode properties: %w", err)
		}
		p.Headers = t
	}
	return p, nil
}

// text is a string that may hold any bytes. JSON holds only UTF-8: anything
// else, and what looks like it, is written in base64 behind a prefix.
type text string

const base64Prefix = "base64:"

// plain reports whether s can stand for itself.
func plain(s string) bool { return utf8.ValidString(s) && !strings.HasPrefix(s, base64Prefix) }

func (t text) encode() string {
	if plain(string(t)) {
		return string(t)
	}
	return base64Prefix + base64.StdEncoding.EncodeToString([]byte(t))
}

func decodeText(s string) (string, error) {
	coded, ok := strings.CutPrefix(s, base64Prefix)
	if !ok {
		return s, nil
	}
	raw, err := base64.StdEncoding.DecodeString(coded)
	return string(raw), err
}

// MarshalJSON writes the text as a JSON string.
func (t text) MarshalJSON() ([]byte, error) { return marshal(t.encode()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	v, err := decodeText(s)
	*t = text(v)
	return err
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func encodeTable(t amqp091.Table, depth int) (map[string]field, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	if len(t) == 0 {
		return nil, nil
	}
	fields := make(map[string]field, len(t))
	for k, v := range t {
		f, err := encodeField(v, depth)
		if err != nil {
			return nil, fmt.Errorf("header %q: %w", k, err)
		}
		fields[text(k).encode()] = f
	}
	return fields, nil
}

// encodeField writes a value with its type. Integers of 64 bits and floats are
// strings, because many JSON readers keep 53 bits only.
func encodeField(value any, depth int) (field, error) {
	of := func(t string, v any) (field, error) {
		raw, err := marshal(v)
		return field{t, raw}, err
	}
	switch v := value.(type) {
	case nil:
		return field{T: "void"}, nil
	case bool:
		return of("bool", v)
	case int8:
		return of("int8", v)
	case uint8:
		return of("uint8", v)
	case int16:
		return of("int16", v)
	case uint16:
		return of("uint16", v)
	case int32:
		return of("int32", v)
	case int: // the client library sends it as an int32
		return of("int32", int32(v))
	case uint32:
		return of("uint32", v)
	case int64:
		return of("int64", strconv.FormatInt(v, 10))
	case float32:
		if v != v {
			return of("float", nanPrefix+strconv.FormatUint(uint64(math.Float32bits(v)), 16))
		}
		return of("float", strconv.FormatFloat(float64(v), 'g', -1, 32))
	case float64:
		if v != v {
			return of("double", nanPrefix+strconv.FormatUint(math.Float64bits(v), 16))
		}
		return of("double", strconv.FormatFloat(v, 'g', -1, 64))
	case amqp091.Decimal:
		return of("decimal", decimal{v.Scale, v.Value})
	case string:
		return of("string", text(v))
	case []byte:
		return of("bytes", base64.StdEncoding.EncodeToString(v))
	case time.Time:
		return of("timestamp", strconv.FormatInt(v.Unix(), 10))
	case amqp091.Table:
		t, err := encodeTable(v, depth+1)
		if err != nil {
			return field{}, err
		}
		if t == nil {
			t = map[string]field{}
		}
		return of("table", t)
	case []any:
		if depth >= maxDepth {
			return field{}, errTooDeep
		}
		all := make([]field, len(v))
		for i := range v {
			var err error
			if all[i], err = encodeField(v[i], depth+1); err != nil {
				return field{}, err
			}
		}
		return of("array", all)
	}
	return field{}, fmt.Errorf("%T is no AMQP type", value)
}

// nanPrefix stands before the bits of a NaN, which are many.
const nanPrefix = "nan:"

type decimal struct {
	Scale uint8 `json:"scale"`
	Value int32 `json:"value"`
}

func decodeTable(fields map[string]field, depth int) (amqp091.Table, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	t := make(amqp091.Table, len(fields))
	for k, f := range fields {
		name, err := decodeText(k)
		if err != nil {
			return nil, fmt.Errorf("header name %q: %w", k, err)
		}
		if t[name], err = decodeField(f, depth); err != nil {
			return nil, fmt.Errorf("header %q: %w", k, err)
		}
	}
	return t, nil
}

func decodeField(f field, depth int) (any, error) {
	switch f.T {
	case "void":
		return nil, nil
	case "bool":
		return as[bool](f.V)
	case "int8":
		return as[int8](f.V)
	case "uint8":
		return as[uint8](f.V)
	case "int16":
		return as[int16](f.V)
	case "uint16":
		return as[uint16](f.V)
	case "int32":
		return as[int32](f.V)
	case "uint32":
		return as[uint32](f.V)
	case "int64":
		return decodeInt(f.V)
	case "float":
		v, err := decodeFloat(f.V, 32)
		if bits, ok := v.(uint64); ok {
			return math.Float32frombits(uint32(bits)), err
		}
		n, _ := v.(float64)
		return float32(n), err
	case "double":
		v, err := decodeFloat(f.V, 64)
		if bits, ok := v.(uint64); ok {
			return math.Float64frombits(bits), err
		}
		return v, err
	case "decimal":
		v, err := as[decimal](f.V)
		return amqp091.Decimal{Scale: v.Scale, Value: v.Value}, err
	case "string":
		v, err := as[text](f.V)
		return string(v), err
	case "bytes":
		s, err := as[string](f.V)
		if err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(s)
	case "timestamp":
		sec, err := decodeInt(f.V)
		if err != nil {
			return nil, err
		}
		return time.Unix(sec, 0).UTC(), nil
	case "table":
		fields, err := as[map[string]field](f.V)
		if err != nil {
			return nil, err
		}
		return decodeTable(fields, depth+1)
	case "array":
		return decodeArray(f.V, depth)
	}
	return nil, fmt.Errorf("unknown type %q", f.T)
}

func decodeArray(raw json.RawMessage, depth int) (any, error) {
	if depth >= maxDepth {
		return nil, errTooDeep
	}
	fields, err := as[[]field](raw)
	if err != nil {
		return nil, err
	}
	all := make([]any, len(fields))
	for i, f := range fields {
		if all[i], err = decodeField(f, depth+1); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// as decodes raw, refusing the JSON null that stands for no value.
func as[T any](raw json.RawMessage) (T, error) {
	var v T
	if len(raw) == 0 || string(raw) == "null" {
		return v, errors.New("the value is missing")
	}
	err := json.Unmarshal(raw, &v)
	return v, err
}

func decodeInt(raw json.RawMessage) (int64, error) {
	s, err := as[string](raw)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(s, 10, 64)
}

// decodeFloat returns a float64, or the bits of a NaN as a uint64.
func decodeFloat(raw json.RawMessage, size int) (any, error) {
	s, err := as[string](raw)
	if err != nil {
		return nil, err
	}
	if bits, ok := strings.CutPrefix(s, nanPrefix); ok {
		return strconv.ParseUint(bits, 16, size)
	}
	return strconv.ParseFloat(s, size)
}
