package mqtt

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/eclipse/paho.golang/packets"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

// What the encoder writes, an independent decoder reads; what it refuses is
// refused with a reason.
func TestEncodeIsDecoded(t *testing.T) {
	text := rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[a-z/äöü€😀+#]{0,40}`),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.IntRange(65500, 65600), func(n int) string { return strings.Repeat("x", n) }),
	)
	key := rapid.OneOf(text, rapid.SampledFrom([]string{
		feed.MetaTopic, feed.MetaTime, feed.MetaContentType, feed.MetaCorrelationID, feed.MetaReplyTo, propMessageID,
	}))
	rapid.Check(t, func(t *rapid.T) {
		c := DefaultConfig()
		c.QoS = rapid.IntRange(0, 1).Draw(t, "qos")
		c.Retain = rapid.Bool().Draw(t, "retain")
		c.MessageExpiry = time.Duration(rapid.Uint32().Draw(t, "expiry")) * time.Second
		m := &message.Message{
			UUID:     text.Draw(t, "uuid"),
			Metadata: rapid.MapOfN(key, text, 0, 6).Draw(t, "metadata"),
			Payload:  make([]byte, rapid.IntRange(0, 40000).Draw(t, "payload")),
		}
		if rapid.Bool().Draw(t, "choose") {
			// Validate refuses the others.
			header := key.Filter(func(k string) bool { return k == feed.MetaTime || !feed.ReservedMetadata(k) })
			c.UserProperties = rapid.SliceOfNDistinct(header, 0, 4, rapid.ID).Draw(t, "names")
		}
		topic := text.Draw(t, "topic")
		id := rapid.Uint16Range(1, 65535).Draw(t, "id")
		e := newEncoder(c)
		head, err := e.header([]byte("before"), topic, m, id)
		if err != nil {
			if string(head) != "before" {
				t.Fatalf("a refused message leaves %d bytes", len(head))
			}
			return
		}
		wire := bytes.NewReader(append(head[len("before"):], m.Payload...))
		cp, err := packets.ReadPacket(wire)
		if err != nil || wire.Len() != 0 {
			t.Fatalf("decode: %v, %d bytes left", err, wire.Len())
		}
		p := cp.Content.(*packets.Publish)
		if int(p.QoS) != c.QoS || p.Retain != c.Retain || p.Duplicate || p.Topic != topic || !bytes.Equal(p.Payload, m.Payload) {
			t.Fatalf("decoded %+v", p)
		}
		if c.QoS > 0 && p.PacketID != id {
			t.Fatalf("packet id %d, want %d", p.PacketID, id)
		}
		var expiry uint32
		if p.Properties.MessageExpiry != nil {
			expiry = *p.Properties.MessageExpiry
		}
		if expiry != uint32(c.MessageExpiry/time.Second) || p.Properties.PayloadFormat != nil || p.Properties.TopicAlias != nil {
			t.Fatalf("properties %v", p.Properties)
		}
		if p.Properties.ContentType != m.Metadata[feed.MetaContentType] || p.Properties.ResponseTopic != m.Metadata[feed.MetaReplyTo] ||
			string(p.Properties.CorrelationData) != m.Metadata[feed.MetaCorrelationID] {
			t.Fatalf("properties %v of %v", p.Properties, m.Metadata)
		}
		got := map[string]string{}
		for _, u := range p.Properties.User {
			if _, twice := got[u.Key]; twice {
				t.Fatalf("user property %q twice", u.Key)
			}
			got[u.Key] = u.Value
		}
		if want := userProperties(c, m); !maps.Equal(got, want) {
			t.Fatalf("user properties %q, want %q", got, want)
		}
	})
}

// userProperties says in other words what the encoder must send.
func userProperties(c Config, m *message.Message) map[string]string {
	all := map[string]string{}
	for k, v := range m.Metadata {
		if !feed.ReservedMetadata(k) || k == feed.MetaTime && v != "" {
			all[k] = v
		}
	}
	if m.UUID != "" {
		all[propMessageID] = m.UUID
	}
	if c.UserProperties == nil {
		return all
	}
	chosen := map[string]string{}
	for _, k := range c.UserProperties {
		if v, ok := all[k]; ok {
			chosen[k] = v
		}
	}
	return chosen
}

func TestPlainText(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "abc ~": true, "ä€😀": true, "\ufffd": true, "\U0010fffd": true,
		"\x00": false, "\x1f": false, "\x7f": false, "\u0085": false, "\ufdd0": false, "\uffff": false, "\U0001fffe": false,
		"a\xff": false, "\xc0\x80": false, "\xed\xa0\x80": false, "ä\n": false,
	} {
		if got := plainText(text); got != want {
			t.Errorf("plainText(%q) = %v", text, got)
		}
		if got := textProblem(text) == ""; got != want {
			t.Errorf("textProblem(%q) = %q", text, textProblem(text))
		}
	}
}
