package remote_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/reading/readingtest"
)

var errTorn = errors.New("torn")

type codecConfig struct{}

func (*codecConfig) Validate() error { return nil }

func codecFactory(c batch.Codec) feed.Factory {
	return batch.Factory(c.Name(), "packs", func() codecConfig { return codecConfig{} }, func(codecConfig, feed.StageEnv) (batch.Codec, error) { return c, nil })
}

func TestCodecGivesWhatItGivesInProcess(t *testing.T) {
	for _, local := range batch.All() {
		if strings.Contains(local.Name(), "+") {
			continue // no name of a stage
		}
		plugin, process := connect(t, codecFactory(local))
		there := plugin.Codec(local.Name(), []byte("{}"), env)
		rapid.Check(t, func(t *rapid.T) {
			want := rapid.SliceOfN(readingtest.Readings(), 0, 40).Draw(t, "readings")
			body, err := there.Append([]byte("before"), want)
			if err != nil {
				t.Fatal(err)
			}
			expected, err := local.Append([]byte("before"), want)
			if err != nil || string(body) != string(expected) {
				t.Fatalf("the body is %q, in process %q, %v", body, expected, err)
			}
			body = body[len("before"):]
			if rapid.Bool().Draw(t, "damaged") && len(body) > 0 {
				body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
			}
			first := reading.Reading{Device: "before"}
			limits := batch.Limits{MaxReadings: rapid.IntRange(0, 60).Draw(t, "most"), MaxBytes: 1 << 16}
			got, err := there.Decode([]reading.Reading{first}, body, limits)
			here, hereErr := local.Decode([]reading.Reading{first}, body, limits)
			if !slices.Equal(got, here) {
				t.Fatalf("got %+v, in process %+v", got, here)
			}
			if (err == nil) != (hereErr == nil) {
				t.Fatalf("got %v, in process %v", err, hereErr)
			}
			var corrupt, corruptHere *batch.Corrupt
			if errors.As(hereErr, &corruptHere) && (!errors.As(err, &corrupt) || corrupt.Reason != corruptHere.Reason || corrupt.Error() != corruptHere.Error()) {
				t.Fatalf("got %v, in process %v", err, hereErr)
			}
		})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					body, err := there.Append(nil, []reading.Reading{{Device: "d", Tag: "t", Value: reading.OfInt(7)}})
					if err == nil {
						_, err = there.Decode(nil, body, batch.Limits{})
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if err := there.Close(); err != nil {
			t.Error(err)
		}
		if _, err := there.Append(nil, nil); err == nil {
			t.Error("a closed codec encodes")
		}
		if len(process.Reasons()) > 0 {
			t.Errorf("the plugin failed because of %v", process.Reasons())
		}
	}
}
