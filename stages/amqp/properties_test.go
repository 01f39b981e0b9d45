package amqp

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"
)

// anyText draws strings of any bytes, often ones that look like escapes.
func anyText(max int) *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringN(0, max/4, max),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, max), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"", "base64:", "base64:AAAA", "\xff", "\u2028<&>", "nan:1"}),
	)
}

func anyField(depth int) *rapid.Generator[any] {
	as := func(g *rapid.Generator[any]) *rapid.Generator[any] { return g }
	all := []*rapid.Generator[any]{
		as(rapid.Just[any](nil)),
		rapid.Bool().AsAny(), rapid.Int8().AsAny(), rapid.Uint8().AsAny(), rapid.Int16().AsAny(), rapid.Uint16().AsAny(),
		rapid.Int32().AsAny(), rapid.Uint32().AsAny(), rapid.Int64().AsAny(),
		rapid.Map(rapid.Uint32(), math.Float32frombits).AsAny(),
		rapid.Map(rapid.Uint64(), math.Float64frombits).AsAny(),
		rapid.Custom(func(t *rapid.T) amqp091.Decimal {
			return amqp091.Decimal{Scale: rapid.Uint8().Draw(t, "scale"), Value: rapid.Int32().Draw(t, "value")}
		}).AsAny(),
		anyText(40).AsAny(),
		rapid.SliceOfN(rapid.Byte(), 0, 40).AsAny(),
		rapid.Map(rapid.Int64(), func(s int64) time.Time { return time.Unix(s, 0) }).AsAny(),
	}
	if depth > 0 {
		all = append(all, anyTable(depth-1).AsAny(), rapid.SliceOfN(anyField(depth-1), 0, 4).AsAny())
	}
	return rapid.OneOf(all...)
}

func anyTable(depth int) *rapid.Generator[amqp091.Table] {
	return rapid.Custom(func(t *rapid.T) amqp091.Table {
		n := rapid.IntRange(0, 4).Draw(t, "n")
		table := amqp091.Table{}
		for range n {
			table[anyText(20).Draw(t, "key")] = anyField(depth).Draw(t, "value")
		}
		return table
	})
}

func anyProperties() *rapid.Generator[Properties] {
	return rapid.Custom(func(t *rapid.T) Properties {
		s := func(name string) string { return anyText(30).Draw(t, name) }
		p := Properties{
			Exchange: s("exchange"), RoutingKey: s("key"), Headers: anyTable(3).Draw(t, "headers"),
			ContentType: s("contentType"), ContentEncoding: s("contentEncoding"),
			DeliveryMode: rapid.Uint8().Draw(t, "mode"), Priority: rapid.Uint8().Draw(t, "priority"),
			CorrelationID: s("correlation"), ReplyTo: s("replyTo"), Expiration: s("expiration"), MessageID: s("id"),
			Type: s("type"), UserID: s("user"), AppID: s("app"),
		}
		if rapid.Bool().Draw(t, "raw") {
			p.Headers, p.RawHeaders = nil, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "rawHeaders")
		}
		if rapid.Bool().Draw(t, "timed") {
			p.Timestamp = time.Unix(rapid.Int64().Draw(t, "time"), 0)
		}
		return p
	})
}

// same compares values as they are on the wire: an empty table or list is
// equal to a nil one, floats by their bits, times by their seconds.
func same(a, b any) bool {
	switch x := a.(type) {
	case amqp091.Table:
		y, ok := b.(amqp091.Table)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			if v, ok := y[k]; !ok || !same(x[k], v) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !same(x[i], y[i]) {
				return false
			}
		}
		return true
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	case float32:
		y, ok := b.(float32)
		return ok && math.Float32bits(x) == math.Float32bits(y)
	case float64:
		y, ok := b.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y)
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Unix() == y.Unix()
	}
	return a == b
}

func sameProperties(a, b Properties) bool {
	if !same(a.Headers, b.Headers) || a.Timestamp.IsZero() != b.Timestamp.IsZero() || a.Timestamp.Unix() != b.Timestamp.Unix() {
		return false
	}
	if !bytes.Equal(a.RawHeaders, b.RawHeaders) {
		return false
	}
	a.Headers, b.Headers = nil, nil
	a.Timestamp, b.Timestamp = time.Time{}, time.Time{}
	return flat(a) == flat(b)
}

func flat(p Properties) [13]any {
	return [13]any{
		p.Exchange, p.RoutingKey, p.ContentType, p.ContentEncoding, p.DeliveryMode, p.Priority, p.CorrelationID, p.ReplyTo,
		p.Expiration, p.MessageID, p.Type, p.UserID, p.AppID,
	}
}

func TestPropertiesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyProperties().Draw(t, "properties")
		data, err := EncodeProperties(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeProperties(data)
		if err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		if !sameProperties(want, got) {
			t.Fatalf("got %#v\nof  %s\nwant %#v", got, data, want)
		}
	})
}

func TestPropertiesDocument(t *testing.T) {
	data, err := EncodeProperties(Properties{
		Exchange: "telemetry", RoutingKey: "a.b", ContentType: "text/plain", DeliveryMode: 2, MessageID: "42",
		Timestamp: time.Unix(1767225600, 0),
		Headers: amqp091.Table{
			"i": int32(5), "l": int64(math.MaxInt64), "d": 1.5, "dec": amqp091.Decimal{Scale: 2, Value: 12345}, "b": []byte{0, 1},
			"t": amqp091.Table{"a": []any{true, nil, "x\xff"}}, "at": time.Unix(7, 0), "int": 3,
		},
	})
	noError(t, err)
	const want = `{"exchange":"telemetry","routingKey":"a.b","headers":{` +
		`"at":{"t":"timestamp","v":"7"},"b":{"t":"bytes","v":"AAE="},"d":{"t":"double","v":"1.5"},` +
		`"dec":{"t":"decimal","v":{"scale":2,"value":12345}},"i":{"t":"int32","v":5},"int":{"t":"int32","v":3},` +
		`"l":{"t":"int64","v":"9223372036854775807"},` +
		`"t":{"t":"table","v":{"a":{"t":"array","v":[{"t":"bool","v":true},{"t":"void"},{"t":"string","v":"base64:eP8="}]}}}},` +
		`"contentType":"text/plain","deliveryMode":2,"messageId":"42","timestamp":1767225600}`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
}

func TestPropertiesRefusesForeignTypes(t *testing.T) {
	endless := amqp091.Table{}
	endless["x"] = endless
	for name, headers := range map[string]amqp091.Table{
		"uint64": {"x": uint64(1)}, "in a list": {"x": []any{struct{}{}}}, "endless": endless, "long name": {strings.Repeat("x", 256): nestedTable(maxDepth + 1)},
	} {
		if _, err := EncodeProperties(Properties{Headers: headers}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzDecodeProperties: nothing makes it panic, and what it accepts is stable.
func FuzzDecodeProperties(f *testing.F) {
	f.Add([]byte(`{"headers":{"x":{"t":"int32","v":5},"y":{"t":"array","v":[{"t":"table","v":{"z":{"t":"void"}}}]}}}`))
	f.Add([]byte(`{"headers":{"base64:eP8=":{"t":"float","v":"nan:7fc00001"},"d":{"t":"double","v":"-Inf"}},"timestamp":-1}`))
	f.Add([]byte(`{"rawHeaders":"AXhJAAAABQ=="}`))
	f.Add([]byte(`{"headers":{"x":{"t":"decimal","v":{"scale":3,"value":-1}},"b":{"t":"bytes","v":"AA=="}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := DecodeProperties(data)
		if err != nil {
			return
		}
		again, err := EncodeProperties(p)
		if err != nil {
			t.Fatalf("decoded %q, cannot encode: %v", data, err)
		}
		q, err := DecodeProperties(again)
		if err != nil || !sameProperties(p, q) {
			t.Fatalf("%q became %s: %v", data, again, err)
		}
	})
}

// Headers too deep for JSON become raw ones, which are published as they were.
func TestPropertiesOfDeepHeaders(t *testing.T) {
	for _, depth := range []int{0, maxDepth, maxDepth + 1, 5000} {
		want := nestedTable(depth)
		data, err := EncodeProperties(Properties{Headers: want})
		noError(t, err)
		p, err := DecodeProperties(data)
		noError(t, err)
		if raw := p.RawHeaders != nil; raw != (depth > maxDepth) || raw && p.Headers != nil {
			t.Errorf("%d deep: raw headers %v, headers %v", depth, raw, p.Headers != nil)
		}
		m, err := p.Publishing([]byte("x"))
		noError(t, err)
		if !same(m.Headers, want) {
			t.Errorf("%d deep: other headers would be published", depth)
		}
	}
}

func TestRawHeaders(t *testing.T) {
	const document = `{"rawHeaders":"AXhJAAAABQ=="}`
	p, err := DecodeProperties([]byte(document))
	noError(t, err)
	data, err := EncodeProperties(p)
	noError(t, err)
	if string(data) != document {
		t.Errorf("got %s", data)
	}
	m, err := p.Publishing(nil)
	noError(t, err)
	if !same(m.Headers, amqp091.Table{"x": int32(5)}) {
		t.Errorf("got %v", m.Headers)
	}
	for name, p := range map[string]Properties{
		"malformed": {RawHeaders: []byte{1, 'x', '?'}}, "two": {RawHeaders: p.RawHeaders, Headers: amqp091.Table{}},
		"too large": {RawHeaders: make([]byte, maxFrame+1)},
	} {
		if _, err := p.Publishing(nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := EncodeProperties(Properties{RawHeaders: p.RawHeaders, Headers: amqp091.Table{}}); err == nil {
		t.Error("encoded two kinds of headers")
	}
	if _, err := DecodeProperties([]byte(`{"rawHeaders":"AXhJAAAABQ==","headers":{"x":{"t":"void"}}}`)); err == nil {
		t.Error("decoded two kinds of headers")
	}
}
