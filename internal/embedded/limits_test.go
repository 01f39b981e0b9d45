package embedded_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/kraft-edge/datafeed/internal/embedded"
)

// raw is a connection on which a test writes packets that paho would not.
type raw struct {
	t    *testing.T
	conn net.Conn
}

func dialRaw(t *testing.T, b *embedded.Broker, id string, expiry uint32) (raw, *packets.Connack) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r := raw{t, conn}
	r.write(&packets.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: id, CleanStart: true,
		Properties: &packets.Properties{SessionExpiryInterval: &expiry},
	})
	ack, ok := r.read().(*packets.Connack)
	if !ok || ack.ReasonCode != 0 {
		t.Fatalf("connect: %v", ack)
	}
	r.conn = buffered{conn, bufio.NewReader(conn)}
	return r, ack
}

// buffered reads in larger pieces.
type buffered struct {
	net.Conn
	reader *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.reader.Read(p) }

func (r raw) write(p packets.Packet) {
	r.t.Helper()
	if _, err := p.WriteTo(r.conn); err != nil {
		r.t.Fatal(err)
	}
}

func (r raw) read() packets.Packet {
	r.t.Helper()
	p, err := packets.ReadPacket(r.conn)
	if err != nil {
		r.t.Fatal(err)
	}
	return p.Content
}

// publish publishes n messages, numbered from first on, and expects the same
// reason code for each.
func (r raw) publish(topic string, first, n int, code byte) {
	r.t.Helper()
	var all bytes.Buffer
	for i := range n {
		p := &packets.Publish{
			Topic: topic, QoS: 1, PacketID: uint16(i + 1), Payload: binary.BigEndian.AppendUint64(nil, uint64(first+i)), Properties: &packets.Properties{},
		}
		if _, err := p.WriteTo(&all); err != nil {
			r.t.Fatal(err)
		}
	}
	if _, err := r.conn.Write(all.Bytes()); err != nil {
		r.t.Fatal(err)
	}
	for i := range n {
		if ack, ok := r.read().(*packets.Puback); !ok || ack.ReasonCode != code {
			r.t.Fatalf("message %d: answer %v, want a PUBACK with 0x%02x", first+i, ack, code)
		}
	}
}

// What Azure IoT Operations MQ does not support is not granted, and ends the
// connection of who uses it.
func TestUnsupportedFeatures(t *testing.T) {
	b := start(t)
	alias, id := uint16(1), 7
	for name, tt := range map[string]struct {
		packet packets.Packet
		code   byte
	}{
		"QoS 2":       {&packets.Publish{Topic: "a", QoS: 2, PacketID: 1, Properties: &packets.Properties{}}, 0x9B},
		"topic alias": {&packets.Publish{Topic: "a", QoS: 1, PacketID: 1, Properties: &packets.Properties{TopicAlias: &alias}}, 0x94},
		"subscription identifier": {&packets.Subscribe{
			PacketID: 1, Subscriptions: []packets.SubOptions{{Topic: "a", QoS: 1}}, Properties: &packets.Properties{SubscriptionIdentifier: &id},
		}, 0xA1},
	} {
		t.Run(name, func(t *testing.T) {
			r, ack := dialRaw(t, b, "client", 0)
			p := ack.Properties
			if p.MaximumQOS == nil || *p.MaximumQOS != 1 || p.TopicAliasMaximum != nil && *p.TopicAliasMaximum != 0 || p.SubIDAvailable == nil || *p.SubIDAvailable != 0 {
				t.Errorf("granted: %v", p)
			}
			r.write(tt.packet)
			if d, ok := r.read().(*packets.Disconnect); !ok || d.ReasonCode != tt.code {
				t.Errorf("answer %v, want a DISCONNECT with 0x%02x", d, tt.code)
			}
		})
	}
}

// subscribe subscribes to a filter.
func (r raw) subscribe(filter string) {
	r.t.Helper()
	r.write(&packets.Subscribe{PacketID: 1, Subscriptions: []packets.SubOptions{{Topic: filter, QoS: 1}}, Properties: &packets.Properties{}})
	if ack, ok := r.read().(*packets.Suback); !ok || ack.Reasons[0] > 1 {
		r.t.Fatalf("subscribe to %s: %v", filter, ack)
	}
}

// subscribeAndLeave makes a session with a subscription whose client is away.
func subscribeAndLeave(t *testing.T, b *embedded.Broker, id, filter string) {
	t.Helper()
	away, _ := dialRaw(t, b, id, 3600)
	away.subscribe(filter)
	away.write(&packets.Disconnect{Properties: &packets.Properties{}})
	if _, err := packets.ReadPacket(away.conn); err == nil {
		t.Fatal("the broker answered a DISCONNECT")
	}
}

// fill publishes n messages in parts, all of which are taken.
func (r raw) fill(topic string, n int) {
	r.t.Helper()
	const part = 1000
	for sent := 0; sent < n; sent += part {
		r.publish(topic, sent, part, 0)
	}
}

// What a client that is away has no room for is refused, not dropped; what was
// taken is all handed out.
func TestBacklogOfAClientThatIsAway(t *testing.T) {
	const room = 20_000
	b := start(t)
	subscribeAndLeave(t, b, "away", "kept/#")
	publisher, _ := dialRaw(t, b, "publisher", 0)
	const more = 10
	publisher.fill("kept/here", room)
	publisher.publish("kept/here", room, more, 0x97)
	publisher.publish("elsewhere", room, more, 0) // nobody of it is away
	seen := map[uint64]bool{}
	done := make(chan struct{})
	_, _, back := dialWith(t, b, &paho.Connect{ClientID: "away"}, func(p *paho.Publish) {
		seen[binary.BigEndian.Uint64(p.Payload)] = true
		if len(seen) == room {
			close(done)
		}
	})
	if !back.SessionPresent {
		t.Error("the session is gone")
	}
	await(t, done)
}

// Of those that share a subscription, one has to have room: it gets everything.
func TestBacklogOfAGroup(t *testing.T) {
	const room, more = 20_000, 100
	const filter = "$share/group/kept/#"
	b := start(t)
	subscribeAndLeave(t, b, "away", filter)
	publisher, _ := dialRaw(t, b, "publisher", 0)
	publisher.fill("kept/here", room)
	publisher.publish("kept/here", room, 1, 0x97)
	here, _ := dialRaw(t, b, "here", 0)
	here.subscribe(filter)
	publisher.publish("kept/here", room, more, 0)
	for i := range more {
		p, ok := here.read().(*packets.Publish)
		if !ok || binary.BigEndian.Uint64(p.Payload) != uint64(room+i) {
			t.Fatalf("got %v, want message %d", p, room+i)
		}
	}
}
