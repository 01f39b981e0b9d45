package mqtt

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

// torrent is a broker that sends n publishes at each word, and reads nothing of
// what it is told.
type torrent struct {
	url  string
	word chan struct{}
}

func newTorrent(t testing.TB, n int) *torrent {
	t.Helper()
	var wire bytes.Buffer
	for i := range n {
		p := packets.Publish{
			Topic: "plant/north/line-4/press-7/temperature", QoS: 1, PacketID: uint16(i + 1), Payload: make([]byte, 200),
			Properties: &packets.Properties{ContentType: "application/json", User: []packets.User{{Key: "message-id", Value: "0123456789abcdef"}}},
		}
		if _, err := p.WriteTo(&wire); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &torrent{url: "mqtt://" + ln.Addr().String(), word: make(chan struct{})}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		if _, err := packets.ReadPacket(nc); err != nil {
			return
		}
		if _, err := (&packets.Connack{Properties: &packets.Properties{}}).WriteTo(nc); err != nil {
			return
		}
		p, err := packets.ReadPacket(nc)
		if err != nil {
			return
		}
		granted := packets.Suback{PacketID: p.PacketID(), Reasons: []byte{1}, Properties: &packets.Properties{}}
		if _, err := granted.WriteTo(nc); err != nil {
			return
		}
		tasks.Go(func() { _, _ = io.Copy(io.Discard, nc) })
		for range b.word {
			if _, err := nc.Write(wire.Bytes()); err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		close(b.word)
		ln.Close()
		tasks.Wait()
	})
	return b
}

// drink receives and settles n messages.
func drink(t testing.TB, sub *subscription, n int, ds []feed.Delivery, list []feed.Settlement) ([]feed.Delivery, []feed.Settlement) {
	for got := 0; got < n; got += len(ds) {
		var err error
		if ds, err = sub.Receive(t.Context(), ds[:0], n-got); err != nil {
			t.Fatal(err)
		}
		list = list[:0]
		for _, d := range ds {
			list = append(list, feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered})
		}
		if err := sub.Settle(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	return ds, list
}

// A message costs its bytes, its texts and its metadata, and nothing for the
// source's own use but its delivery.
func TestDeliveriesAllocateLittle(t *testing.T) {
	const n = 2000
	b := newTorrent(t, n)
	sub := mustSubscribe(t, newTestSource(t, b.url, func(c *SourceConfig) { c.ReceiveMaximum = n }))
	var ds []feed.Delivery
	var list []feed.Settlement
	per := testing.AllocsPerRun(20, func() {
		b.word <- struct{}{}
		ds, list = drink(t, sub, n, ds, list)
	}) / n
	t.Logf("%.2f allocations a message", per)
	if per > 8 {
		t.Errorf("a message allocates %.2f times", per)
	}
}
