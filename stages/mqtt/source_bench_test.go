package mqtt

import (
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

// BenchmarkReceive receives and settles as fast as a broker can send.
func BenchmarkReceive(b *testing.B) {
	const window = 2000
	broker := newTorrent(b, window)
	sub := mustSubscribe(b, newTestSource(b, broker.url, func(c *SourceConfig) { c.ReceiveMaximum = window }))
	var ds []feed.Delivery
	var list []feed.Settlement
	b.ReportAllocs()
	for got := 0; got < b.N; got += window {
		broker.word <- struct{}{}
		ds, list = drink(b, sub, window, ds, list)
	}
}
