package amqp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// frame encodes one frame.
func frame(kind byte, channel uint16, payload []byte) []byte {
	b := append([]byte{kind}, binary.BigEndian.AppendUint16(nil, channel)...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(append(b, payload...), frameEnd)
}

func shortString(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

// deliverFrames encodes a delivery without headers as a broker sends it, with
// body frames of at most part bytes.
func deliverFrames(channel uint16, consumer string, d *amqp091.Delivery, part int) [][]byte {
	method := shortString([]byte{0, 60, 0, 60}, consumer)
	method = binary.BigEndian.AppendUint64(method, d.DeliveryTag)
	redelivered := byte(0)
	if d.Redelivered {
		redelivered = 1
	}
	method = shortString(shortString(append(method, redelivered), d.Exchange), d.RoutingKey)
	header := binary.BigEndian.AppendUint64([]byte{0, 60, 0, 0}, uint64(len(d.Body)))
	header = binary.BigEndian.AppendUint16(header, hasContentType|hasDeliveryMode|hasMessageID)
	header = shortString(header, d.ContentType)
	header = shortString(append(header, d.DeliveryMode), d.MessageId)
	frames := [][]byte{frame(frameMethod, channel, method), frame(frameHeader, channel, header)}
	for body := d.Body; len(body) > 0; {
		n := min(part, len(body))
		frames = append(frames, frame(frameBody, channel, body[:n]))
		body = body[n:]
	}
	return frames
}

// A stream of frames of two channels, one with a known consumer, cut at
// random: the known consumer's deliveries come out whole and are signalled
// before more is read, everything else passes unchanged.
func TestSplitterSplits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		box := newInbox(feed.MiB)
		s := newSplitter()
		stop := s.deliver("ours", box)
		defer stop()
		var want []*amqp091.Delivery
		var queues [2][][]byte // frames of each channel, in order
		pass := [2]bool{}
		for tag := range uint64(rapid.IntRange(1, 8).Draw(rt, "deliveries")) {
			d := &amqp091.Delivery{
				DeliveryTag: tag + 1, Redelivered: rapid.Bool().Draw(rt, "redelivered"), Exchange: "plant",
				RoutingKey: rapid.StringN(0, 20, 60).Draw(rt, "key"), ContentType: "application/json", DeliveryMode: 2,
				MessageId: rapid.StringN(0, 10, 30).Draw(rt, "id"),
				Body:      rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(rt, "body"),
			}
			part := rapid.IntRange(1, 4000).Draw(rt, "part")
			want = append(want, d)
			queues[0] = append(queues[0], deliverFrames(1, "ours", d, part)...)
			queues[1] = append(queues[1], deliverFrames(2, "foreign", d, part)...)
			queues[1] = append(queues[1], frame(frameMethod, 2, []byte{0, 60, 0, 80, 1, 2, 3}), frame(frameHeartbeat, 0, nil))
		}
		pass[1] = true
		var stream, passed []byte
		for len(queues[0])+len(queues[1]) > 0 { // channels interleave as they like
			q := rapid.IntRange(0, 1).Draw(rt, "channel")
			if len(queues[q]) == 0 {
				q = 1 - q
			}
			stream = append(stream, queues[q][0]...)
			if pass[q] {
				passed = append(passed, queues[q][0]...)
			}
			queues[q] = queues[q][1:]
		}
		var library []byte
		p := make([]byte, 100)
		for len(stream) > 0 {
			there, _ := box.Holds()
			n := copy(s.space(), stream[:min(len(stream), rapid.IntRange(1, 3000).Draw(rt, "read"))])
			s.filled(n)
			stream = stream[n:]
			for {
				k, err := s.take(p)
				if err != nil {
					rt.Fatal(err)
				}
				if k == 0 {
					break
				}
				library = append(library, p[:k]...)
			}
			s.announce()
			select {
			case <-box.Wake():
			default:
				if n, _ := box.Holds(); n > there {
					rt.Fatal("a delivery was not signalled")
				}
			}
		}
		if !bytes.Equal(library, passed) {
			rt.Fatalf("%d bytes passed to the library, want %d", len(library), len(passed))
		}
		got := box.Rest()
		if len(got) != len(want) {
			rt.Fatalf("%d deliveries, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i].tag != want[i].DeliveryTag || got[i].redelivered != want[i].Redelivered || !bytes.Equal(got[i].body, want[i].Body) ||
				!reflect.DeepEqual(propertiesOf(t, got[i]), libraryProperties(*want[i])) {
				rt.Fatalf("delivery %d: %+v\nwant %+v", i, got[i], want[i])
			}
		}
	})
}

func TestSplitterRefusesImpossibleContents(t *testing.T) {
	d := &amqp091.Delivery{DeliveryTag: 1, Body: []byte("0123456789")}
	whole := deliverFrames(1, "ours", d, 100)
	for name, frames := range map[string][][]byte{
		"header twice":  {whole[0], whole[1], whole[1]},
		"body too long": {whole[0], whole[1], whole[2], nil, whole[0], whole[1], frame(frameBody, 1, make([]byte, 11))},
		"body first":    {whole[0], whole[2]},
		"cut header":    {whole[0], frame(frameHeader, 1, []byte{0, 60, 0})},
		"cut method":    {frame(frameMethod, 1, []byte{0, 60, 0, 60, 4, 'o', 'u', 'r', 's', 1})},
		"unknown flags": {whole[0], frame(frameHeader, 1, append(make([]byte, 12), 0xff, 0xff))},
		"cut table":     {whole[0], frame(frameHeader, 1, append(make([]byte, 12), 0x20, 0, 0, 0, 0, 4, 1, 'k', 't'))},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSplitter()
			box := newInbox(feed.MiB)
			defer s.deliver("ours", box)()
			var err error
			for _, f := range frames {
				s.filled(copy(s.space(), f))
				if _, err = s.take(make([]byte, 10)); err != nil {
					break
				}
			}
			for _, d := range box.Rest() {
				if err == nil {
					_, err = new(decoder).properties(d)
				}
			}
			if err == nil {
				t.Error("taken without an error")
			}
		})
	}
}

// What is no AMQP is the library's to complain about.
func TestSplitterLeavesWhatIsNoFrame(t *testing.T) {
	for _, text := range []string{"AMQP\x00\x00\x09\x01", "HTTP/1.1 400", "\x01\x00\x01\xff\xff\xff\xffxxxx", "\x01\x00\x01\x00\x00\x00\x01x!"} {
		s := newSplitter()
		s.filled(copy(s.space(), text))
		p := make([]byte, 100)
		if n, err := s.take(p); err != nil || string(p[:n]) != text {
			t.Errorf("%q: %q passed, %v", text, p[:n], err)
		}
	}
}

func FuzzSplitter(f *testing.F) {
	d := &amqp091.Delivery{DeliveryTag: 1, Body: []byte("0123456789"), RoutingKey: "k"}
	f.Add(bytes.Join(deliverFrames(1, "ours", d, 3), nil), 5)
	method := deliverFrames(1, "ours", d, 3)[0]
	f.Add(append(method, headersFrame(1, []byte{1, 'k', 'F', 0, 0, 0, 1, 0})...), 100)
	f.Add(append(method, headersFrame(1, []byte{1, 'k', '?'})...), 7)
	f.Add(append(method, headersFrame(1, deepTable(f, maxTableDepth+1))...), 100)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		s := newSplitter()
		box := newInbox(feed.MiB)
		defer s.deliver("ours", box)()
		p := make([]byte, 64)
		passed := 0
		total := len(stream)
		for len(stream) > 0 {
			n := copy(s.space(), stream[:min(len(stream), max(1, step%1000))])
			s.filled(n)
			stream = stream[n:]
			for {
				k, err := s.take(p)
				if err != nil {
					return
				}
				if k == 0 {
					break
				}
				passed += k
			}
		}
		bodies := 0
		for _, d := range box.Rest() {
			bodies += len(d.body)
			p, err := new(decoder).properties(d)
			if err != nil {
				continue
			}
			var m message.Message
			fill(&m, d, &p)
			describable(t, d)
		}
		if passed+bodies > total {
			t.Errorf("%d bytes passed and %d bytes of bodies, out of %d", passed, bodies, total)
		}
	})
}

func TestArenaSpacesDoNotOverlap(t *testing.T) {
	var a arena
	var all [][]byte
	for i := range 1000 {
		b := a.space(uint64(i % 300))
		if cap(b) != i%300 {
			t.Fatalf("room for %d, want %d", cap(b), i%300)
		}
		for range cap(b) {
			b = append(b, byte(i))
		}
		all = append(all, b)
	}
	for i, b := range all {
		for _, x := range b {
			if x != byte(i) {
				t.Fatalf("space %d was written by another", i)
			}
		}
	}
	if b := a.space(1 << 40); cap(b) > maxAhead {
		t.Errorf("allocated %d bytes on a peer's word", cap(b))
	}
}

// Our decoding agrees with the client library's, property by property and
// header type by header type.
func TestDeliveriesAreDecodedAsTheLibraryDoes(t *testing.T) {
	url := testenv.RabbitMQ(t).URL()
	l, err := (&SourceConfig{URL: feed.NewURL(url), Auth: AuthPassword, ConnectTimeout: 10 * time.Second, Heartbeat: 10 * time.Second}).access("test").dial(t.Context())
	noError(t, err)
	defer l.Close() //nolint:errcheck // the test is over
	conn, err := amqp091.Dial(url)
	noError(t, err)
	defer conn.Close() //nolint:errcheck // the test is over
	ch, err := conn.Channel()
	noError(t, err)
	for _, queue := range []string{"ours", "theirs"} {
		_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
		noError(t, err)
		noError(t, ch.QueueBind(queue, "", "amq.fanout", false, nil))
	}
	published := []amqp091.Publishing{
		{},
		{Body: []byte("x")},
		{Body: bytes.Repeat([]byte("0123456789"), 40_000)}, // several frames
		{
			ContentType: "a/b", ContentEncoding: "gzip", DeliveryMode: 2, Priority: 7, CorrelationId: "c", ReplyTo: "r", Expiration: "60000",
			MessageId: "m", Timestamp: time.Unix(1_700_000_000, 0), Type: "t", UserId: "", AppId: "app", Body: []byte("{}"),
			Headers: amqp091.Table{
				"bool": true, "no": false, "int8": int8(-8), "byte": byte(200), "int16": int16(-16), "int32": int32(-32), "int64": int64(-64),
				"float32": float32(1.5), "float64": 2.5, "decimal": amqp091.Decimal{Scale: 2, Value: -12345}, "string": "text", "empty": "",
				"bytes": []byte{0, 1, 0xff}, "time": time.Unix(1_600_000_000, 0), "void": nil, "array": []any{int32(1), "two", []any{true}},
				"table": amqp091.Table{"inner": amqp091.Table{"x": int64(1)}}, "none": amqp091.Table{},
			},
		},
	}
	for i, p := range published {
		noError(t, ch.Publish("amq.fanout", fmt.Sprintf("key.%d", i), true, false, p))
	}
	sub, err := consume(l, consumption{queue: "ours", tag: "ours-1", prefetch: 100, readAhead: feed.MiB})
	noError(t, err)
	theirs, err := ch.Consume("theirs", "", true, false, false, false, nil)
	noError(t, err)
	for i := range published {
		got, err := sub.box.Take(t.Context(), nil, 1)
		noError(t, err)
		d, want := got[0], <-theirs
		if p := propertiesOf(t, d); d.tag != want.DeliveryTag || d.redelivered != want.Redelivered || !bytes.Equal(d.body, want.Body) ||
			!reflect.DeepEqual(p, libraryProperties(want)) {
			t.Errorf("message %d:\n%+v %+v\nwant\n%+v", i, d, p, want)
		}
		noError(t, sub.ch.Ack(d.tag, false))
	}
	noError(t, sub.Close())
	if _, err := sub.box.Take(t.Context(), nil, 1); err == nil || errors.Is(err, t.Context().Err()) && t.Context().Err() != nil {
		t.Errorf("take after close: %v", err)
	}
}
