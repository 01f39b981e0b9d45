package log

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/kraft-edge/datafeed/feed/feedtest"
)

func TestConformance(t *testing.T) {
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		var out bytes.Buffer
		return feedtest.SinkUnderTest{
			Sink:          newSink(t, Config{To: ToStdout, Format: FormatJSON}, &out),
			Topic:         func(n int) string { return fmt.Sprintf("topic/%d", n) },
			KeepsMetadata: true,
			Stored: func(t testing.TB, _ int) []feedtest.Stored {
				var all []feedtest.Stored
				for d := json.NewDecoder(bytes.NewReader(out.Bytes())); d.More(); {
					var r record
					if err := d.Decode(&r); err != nil {
						t.Fatal(err)
					}
					payload := r.Base64
					if r.Payload != nil {
						payload = []byte(*r.Payload)
					}
					all = append(all, feedtest.Stored{Topic: r.Topic, Payload: payload, Metadata: r.Metadata})
				}
				return all
			},
		}
	})
}
