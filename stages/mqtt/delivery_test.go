package mqtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/eclipse/paho.golang/packets"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

// onWire encodes a PUBLISH with an independent encoder, and cuts it in two as the
// reader does.
func onWire(t interface{ Fatal(...any) }, p *packets.Publish) (first byte, body []byte) {
	var b bytes.Buffer
	if _, err := p.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	_, body, ok := cutVarint(raw[1:])
	if !ok {
		t.Fatal("no length")
	}
	return raw[0], body
}

// Whatever a broker sends in a valid PUBLISH arrives, in the message and in its
// description.
func TestPublishIsUnderstood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zA-Z0-9 äß-]{1,12}`)
		p := &packets.Publish{
			Topic: text.Draw(t, "topic"), Payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"),
			QoS: byte(rapid.IntRange(0, 1).Draw(t, "qos")), Retain: rapid.Bool().Draw(t, "retain"), Properties: &packets.Properties{},
		}
		want := Properties{Topic: p.Topic, QoS: int(p.QoS), Retain: p.Retain}
		metadata := message.Metadata{feed.MetaTopic: p.Topic}
		uuid := ""
		if p.QoS > 0 {
			p.PacketID = rapid.Uint16Min(1).Draw(t, "id")
			p.Duplicate = rapid.Bool().Draw(t, "duplicate")
		}
		if rapid.Bool().Draw(t, "has content type") {
			p.Properties.ContentType = text.Draw(t, "content type")
			want.ContentType, metadata[feed.MetaContentType] = p.Properties.ContentType, p.Properties.ContentType
		}
		if rapid.Bool().Draw(t, "has response topic") {
			p.Properties.ResponseTopic = text.Draw(t, "response topic")
			want.ResponseTopic, metadata[feed.MetaReplyTo] = p.Properties.ResponseTopic, p.Properties.ResponseTopic
		}
		if rapid.Bool().Draw(t, "has correlation data") {
			p.Properties.CorrelationData = rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "correlation data")
			want.CorrelationData, metadata[feed.MetaCorrelationID] = p.Properties.CorrelationData, string(p.Properties.CorrelationData)
		}
		if rapid.Bool().Draw(t, "has format") {
			p.Properties.PayloadFormat = new(byte(1))
			want.PayloadFormat = p.Properties.PayloadFormat
		}
		if rapid.Bool().Draw(t, "has expiry") {
			p.Properties.MessageExpiry = new(uint32(3600))
			want.MessageExpiry, metadata[HeaderMessageExpiry] = p.Properties.MessageExpiry, "3600"
		}
		if rapid.Bool().Draw(t, "has subscription id") {
			p.Properties.SubscriptionIdentifier = new(rapid.IntRange(1, 268_435_455).Draw(t, "subscription id"))
		}
		for _, u := range rapid.SliceOfN(rapid.Custom(func(t *rapid.T) packets.User {
			return packets.User{
				Key:   rapid.OneOf(text, rapid.SampledFrom([]string{"message-id", "time", "topic", "content_type"})).Draw(t, "key"),
				Value: rapid.OneOf(text, rapid.Just("2026-01-02T03:04:05+01:00")).Draw(t, "value"),
			}
		}), 0, 5).Draw(t, "user properties") {
			p.Properties.User = append(p.Properties.User, u)
			want.UserProperties = append(want.UserProperties, UserProperty{u.Key, u.Value})
			switch u.Key {
			case "message-id":
				uuid = u.Value
			case "time":
				if u.Value == "2026-01-02T03:04:05+01:00" {
					metadata["time"] = "2026-01-02T02:04:05Z"
				}
			case "topic", "content_type":
			default:
				metadata[u.Key] = u.Value
			}
		}
		d, err := parsePublish(onWire(t, p))
		if err != nil {
			t.Fatal(err)
		}
		if d.id != p.PacketID || d.duplicate != p.Duplicate || !bytes.Equal(d.payload, p.Payload) {
			t.Fatalf("got %+v of %v", d, p)
		}
		var m message.Message
		fill(&m, d)
		if m.UUID != uuid || !reflect.DeepEqual(m.Metadata, metadata) || !bytes.Equal(m.Payload, p.Payload) {
			t.Fatalf("message %q %v, want %q %v", m.UUID, m.Metadata, uuid, metadata)
		}
		doc, err := d.describe()
		if err != nil {
			t.Fatal(err)
		}
		var got Properties
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("described as %s, want %+v", doc, want)
		}
	})
}

// What is wrong inside of the properties keeps no message from being handed
// out, and is described as it came.
func TestMalformedPropertiesAreKept(t *testing.T) {
	for name, raw := range map[string][]byte{
		"unknown":          {0x7f},
		"truncated":        {propContentType, 0, 9, 'x'},
		"invalid UTF-8":    {propUser, 0, 1, 0xff, 0, 1, 'v'},
		"after a good one": {propUser, 0, 10, 'm', 'e', 's', 's', 'a', 'g', 'e', '-', 'i', 'd', 0, 1, 'x', propMessageExpiry, 1},
	} {
		t.Run(name, func(t *testing.T) {
			body := append([]byte{0, 1, 't', 0, 7, byte(len(raw))}, raw...)
			d, err := parsePublish(0x32, append(body, "payload"...))
			if err != nil {
				t.Fatal(err)
			}
			var m message.Message
			fill(&m, d)
			if m.UUID != "" || !reflect.DeepEqual(m.Metadata, message.Metadata{feed.MetaTopic: "t"}) || string(m.Payload) != "payload" {
				t.Errorf("message %q %v %q", m.UUID, m.Metadata, m.Payload)
			}
			doc, err := d.describe()
			if err != nil {
				t.Fatal(err)
			}
			var got Properties
			if err := json.Unmarshal(doc, &got); err != nil {
				t.Fatal(err)
			}
			if want := (Properties{Topic: "t", QoS: 1, Raw: raw}); !reflect.DeepEqual(got, want) {
				t.Errorf("described as %s", doc)
			}
		})
	}
}

func TestPublishesThatEndTheConnection(t *testing.T) {
	for name, c := range map[string]struct {
		first byte
		body  []byte
	}{
		"QoS 2":                  {0x34, []byte{0, 1, 't', 0, 1, 0}},
		"QoS 3":                  {0x36, []byte{0, 1, 't', 0, 1, 0}},
		"duplicate with QoS 0":   {0x38, []byte{0, 1, 't', 0}},
		"topic alias":            {0x32, []byte{0, 0, 0, 1, 3, 0x23, 0, 1}},
		"wildcard":               {0x32, []byte{0, 1, '#', 0, 1, 0}},
		"topic is no UTF-8":      {0x32, []byte{0, 1, 0xff, 0, 1, 0}},
		"packet id 0":            {0x32, []byte{0, 1, 't', 0, 0, 0}},
		"no topic":               {0x32, []byte{0, 9, 't'}},
		"no packet id":           {0x32, []byte{0, 1, 't', 0}},
		"no properties":          {0x32, []byte{0, 1, 't', 0, 1}},
		"properties beyond":      {0x32, []byte{0, 1, 't', 0, 1, 9}},
		"length of five bytes":   {0x32, []byte{0, 1, 't', 0, 1, 0xff, 0xff, 0xff, 0xff, 1}},
		"nothing":                {0x30, nil},
		"retained, nothing else": {0x31, []byte{0}},
		"a topic with NUL":       {0x32, []byte{0, 1, 0, 0, 1, 0}},
	} {
		if d, err := parsePublish(c.first, c.body); !errors.Is(err, errProtocol) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

// FuzzPublish feeds the decoder whatever a broker might send.
func FuzzPublish(f *testing.F) {
	first, body := onWire(f, &packets.Publish{Topic: "plant/a", QoS: 1, PacketID: 7, Payload: []byte("{}"), Properties: &packets.Properties{
		ContentType: "text/plain", ResponseTopic: "r", CorrelationData: []byte{0}, MessageExpiry: new(uint32(1)), PayloadFormat: new(byte(1)),
		SubscriptionIdentifier: new(300), User: []packets.User{{Key: "k", Value: "v"}},
	}})
	f.Add(first, body)
	f.Add(byte(0x30), []byte{0, 1, 't', 0})
	f.Fuzz(func(t *testing.T, first byte, body []byte) {
		d, err := parsePublish(first, body)
		if err != nil {
			if !errors.Is(err, errProtocol) {
				t.Fatal(err)
			}
			return
		}
		if len(d.topic)+len(d.properties)+len(d.payload) > len(body) || d.topic == "" || d.id == 0 && d.duplicate {
			t.Fatalf("%+v of %d bytes", d, len(body))
		}
		var m message.Message
		fill(&m, d)
		if m.Metadata[feed.MetaTopic] != d.topic {
			t.Fatalf("metadata %v", m.Metadata)
		}
		doc, err := d.describe()
		if err != nil || !json.Valid(doc) {
			t.Fatalf("%s %v", doc, err)
		}
		var p Properties
		if err := json.Unmarshal(doc, &p); err != nil || p.Topic != d.topic {
			t.Fatalf("%s: %v", doc, err)
		}
	})
}
