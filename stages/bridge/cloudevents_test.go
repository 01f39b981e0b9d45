package bridge

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

// eventRule makes events in a mode.
func eventRule(mode Mode) Rule {
	return Rule{
		Match: "t.{site}.{device}", Topic: "k/{site}/{x}", Let: map[string]string{"x": `"x-" + device`},
		CloudEvents: &CloudEvents{Mode: mode, Type: "com.kraft.{site}", Source: "/plants/{site}", Subject: "{x} é\"%"},
	}
}

func TestBinaryEvents(t *testing.T) {
	const id = "ebf36a4293408fe4d495a6e1a225f48e"
	for mode, want := range map[Mode]message.Metadata{
		ModeMQTT: {"specversion": "1.0", "id": id, "source": "/plants/a%2Fb%20c", "type": "com.kraft.a/b c", "subject": "x-7 é\"%", "time": "2026-11-21T02:40:39.5Z"},
		ModeAMQP: {"cloudEvents_specversion": "1.0", "cloudEvents_id": id, "cloudEvents_source": "/plants/a%2Fb%20c", "cloudEvents_type": "com.kraft.a/b c", "cloudEvents_subject": "x-7 é\"%", "cloudEvents_time": "2026-11-21T02:40:39.5Z", "time": "2026-11-21T03:40:39.5+01:00"},
		ModeHTTP: {"ce-specversion": "1.0", "ce-id": id, "ce-source": "/plants/a%252Fb%2520c", "ce-type": "com.kraft.a/b%20c", "ce-subject": "x-7%20%C3%A9%22%25", "ce-time": "2026-11-21T02:40:39.5Z", "time": "2026-11-21T03:40:39.5+01:00"},
	} {
		b := newBridge(t, nil, eventRule(mode))
		for range 2 {
			m := carrying("t.a/b c.7", "payload", "h", "v", "content_type", "text/plain", "time", "2026-11-21T03:40:39.5+01:00")
			m.UUID = "message-1"
			if _, err := b.Handle(m); err != nil {
				t.Fatal(err)
			}
			all := maps.Clone(want)
			maps.Copy(all, message.Metadata{"topic": "k/a%2Fb c/x-7", "h": "v", "content_type": "text/plain"})
			if !maps.Equal(m.Metadata, all) || string(m.Payload) != "payload" {
				t.Errorf("%s: metadata %v, payload %q, want %v", mode, m.Metadata, m.Payload, all)
			}
		}
	}
}

func TestStructuredEvents(t *testing.T) {
	const attributes = `{"specversion":"1.0","id":"7","source":"/s","type":"t"`
	rule := Rule{Match: "t.{id}", Topic: "k", CloudEvents: &CloudEvents{Mode: ModeStructured, Type: "t", Source: "/s", ID: "{id}"}}
	for _, tt := range []struct{ contentType, payload, want string }{
		{"", ` {"a": 1.50} `, `,"data":{"a": 1.50}}`},
		{"application/json", `[1]`, `,"datacontenttype":"application/json","data":[1]}`},
		{"application/senml+json; charset=utf-8", `[1]`, `,"datacontenttype":"application/senml+json; charset=utf-8","data":[1]}`},
		{"application/json", `{"a":`, `,"datacontenttype":"application/json","data_base64":"eyJhIjo="}`},
		{"text/plain", `21`, `,"datacontenttype":"text/plain","data_base64":"MjE="}`},
		{"", "\xff", `,"datacontenttype":"application/octet-stream","data_base64":"/w=="}`},
		{"", "", `}`},
		{"a\"b", "x", `,"datacontenttype":"a\"b","data_base64":"eA=="}`},
	} {
		b := newBridge(t, nil, rule)
		given := []byte(tt.payload)
		m := keyed("t.7", "h", "v")
		m.Payload = given
		if tt.contentType != "" {
			m.Metadata[feed.MetaContentType] = tt.contentType
		}
		if _, err := b.Handle(m); err != nil || string(m.Payload) != attributes+tt.want {
			t.Errorf("%s: %s, error %v, want %s", tt.payload, m.Payload, err, attributes+tt.want)
		}
		if want := (message.Metadata{"topic": "k", "h": "v", "content_type": "application/cloudevents+json"}); !maps.Equal(m.Metadata, want) {
			t.Errorf("metadata %v, want %v", m.Metadata, want)
		}
		if string(given) != tt.payload {
			t.Errorf("the bytes of the payload were changed to %q", given)
		}
	}
}

// An event's data is the payload that the rule makes; its id is that of the
// message as it came.
func TestEventOfNewPayload(t *testing.T) {
	rule := eventRule(ModeStructured)
	plain, _ := handled(t, newBridge(t, nil, rule))
	rule.Payload = Payload{Select: []string{"a"}, Fields: map[string]string{"d": "device"}}
	chosen, _ := handled(t, newBridge(t, nil, rule))
	if plain["id"] != chosen["id"] || plain["time"] != nil {
		t.Errorf("%v and %v", plain, chosen)
	}
	if data, err := json.Marshal(chosen["data"]); err != nil || string(data) != `{"a":1,"d":"7"}` {
		t.Errorf("data %s, error %v", data, err)
	}
}

func handled(t *testing.T, b *Bridge) (event map[string]any, m *message.Message) {
	t.Helper()
	m = carrying("t.s.7", `{"a":1,"b":2}`, "time", "yesterday")
	if _, err := b.Handle(m); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m.Payload, &event); err != nil {
		t.Fatal(err)
	}
	return event, m
}

// Each of what makes an id makes another one, and nothing else does.
func TestEventID(t *testing.T) {
	ids := map[string]string{}
	for name, change := range map[string]func(*message.Message){
		"nothing": func(*message.Message) {},
		"key":     func(m *message.Message) { m.Metadata["topic"] = "t.b" },
		"time":    func(m *message.Message) { m.Metadata["time"] = "x" },
		"uuid":    func(m *message.Message) { m.UUID = "x" },
		"payload": func(m *message.Message) { m.Payload = []byte("x") },
		"moved":   func(m *message.Message) { m.Metadata["topic"], m.UUID = "t", ".a" },
	} {
		m := keyed("t.a")
		change(m)
		id := eventID(m)
		if other, ok := ids[id]; ok || len(id) != 32 {
			t.Errorf("%s and %s have the id %s", name, other, id)
		}
		ids[id] = name
	}
	m := keyed("t.a", "h", "v")
	if ids[eventID(m)] != "nothing" {
		t.Error("a header makes another id")
	}
}

func TestBadAttributes(t *testing.T) {
	for _, tt := range []struct {
		events CloudEvents
		key    string
		want   string
	}{
		{CloudEvents{Type: "{n}", Source: "/s"}, "t.", `rules[0].cloudEvents.type: "" is empty`},
		{CloudEvents{Type: "t", Source: "{n}"}, "t.", `rules[0].cloudEvents.source: "" is empty`},
		{CloudEvents{Type: "t", Source: "/s", Subject: "{n}"}, "t.", `rules[0].cloudEvents.subject: "" is empty`},
		{CloudEvents{Type: "t", Source: "/s", ID: "{n}"}, "t.\x00", `rules[0].cloudEvents.id: "\x00" holds a character`},
		{CloudEvents{Type: "t", Source: "/s", ID: "{n}"}, "t.\xff", `rules[0].cloudEvents.id: "\xff" holds a character`},
	} {
		tt.events.Mode = ModeMQTT
		b := newBridge(t, nil, Rule{Match: "t.{n}", Topic: "k/{n}", CloudEvents: &tt.events})
		m := keyed(tt.key)
		if _, err := b.Handle(m); !feed.IsPermanent(err) || !strings.HasPrefix(err.Error(), tt.want) || len(m.Metadata) != 1 || feed.Topic(m) != tt.key {
			t.Errorf("error %v, want %s; metadata %v", err, tt.want, m.Metadata)
		}
	}
}

// TestEventsCarryThePayload takes any payload through an event and back.
func TestEventsCarryThePayload(t *testing.T) {
	b := newBridge(t, nil, Rule{Match: "{n...}", Topic: "k", CloudEvents: &CloudEvents{Mode: ModeStructured, Type: "t", Source: "/s/{n...}"}})
	payload := rapid.OneOf(
		rapid.SliceOf(rapid.Byte()),
		rapid.Map(rapid.SampledFrom([]string{`{"a":1.50,"a":2}`, ` [1e999] `, `"\ud800"`, `null`, "{\n}", `{"a":"ü"}`}), func(s string) []byte { return []byte(s) }))
	rapid.Check(t, func(rt *rapid.T) {
		given := payload.Draw(rt, "payload")
		m := &message.Message{Payload: bytes.Clone(given), Metadata: message.Metadata{feed.MetaTopic: rapid.String().Draw(rt, "key")}}
		if contentType := rapid.SampledFrom([]string{"", "application/json", "text/plain", "x/y+json", "\x00"}).Draw(rt, "content type"); contentType != "" {
			m.Metadata[feed.MetaContentType] = contentType
		}
		if _, err := b.Handle(m); err != nil {
			rt.Fatal(err)
		}
		var event struct {
			Data   json.RawMessage `json:"data"`
			Base64 *string         `json:"data_base64"`
		}
		if err := json.Unmarshal(m.Payload, &event); err != nil {
			rt.Fatalf("%s: %v", m.Payload, err)
		}
		got := []byte(event.Data)
		if event.Base64 != nil {
			var err error
			if got, err = base64.StdEncoding.DecodeString(*event.Base64); err != nil || event.Data != nil {
				rt.Fatalf("%s: error %v", m.Payload, err)
			}
		} else {
			given = bytes.Trim(given, " \t\r\n")
		}
		if !bytes.Equal(got, given) {
			rt.Fatalf("the payload %q became %q", given, got)
		}
	})
}
