package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

func TestConformance(t *testing.T) {
	t.Parallel() // it waits most of the time
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		db := testenv.PostgreSQL(t)
		proxy := testenv.Proxy(t, db.Addr)
		direct := configOf(db.URL())
		topic := func(n int) string { return fmt.Sprintf("tag%d", n) }
		return feedtest.SinkUnderTest{
			Sink: openSink(t, configOf(db.URLAt(proxy.Addr))),
			// The topic of a message is its tag, as the sink keeps no topics.
			Topic: topic,
			Payload: func(n, size int) []byte {
				r := reading.Reading{Device: "d", Tag: topic(n % 3), Time: noon.UnixNano() + int64(n), Value: reading.OfText(strings.Repeat("x", size)), Seq: uint64(n)}
				return r.AppendJSON(nil)
			},
			Stored: func(t testing.TB, _ int) []feedtest.Stored {
				rs := all(t, openReader(t, direct), Query{})
				slices.SortFunc(rs, func(a, b reading.Reading) int { return int(a.Seq) - int(b.Seq) })
				var kept []feedtest.Stored
				for _, r := range rs {
					kept = append(kept, feedtest.Stored{Topic: r.Tag, Payload: r.AppendJSON(nil)})
				}
				return kept
			},
			Down: func(testing.TB) { proxy.Refuse(); proxy.Cut() },
			Up:   func(testing.TB) { proxy.Accept() },
			Refused: func() *message.Message {
				return &message.Message{Payload: []byte(`{"device":"d"}`), Metadata: message.Metadata{feed.MetaTopic: "tag0"}}
			},
		}
	})
}
