package batch_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"
	"unsafe"
	"weak"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// TestLittleIsKept: what the codecs use again holds no texts of readings when they
// have returned, and no long body. One collection of garbage, and there is only one,
// does not yet empty the pools.
func TestLittleIsKept(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, c := range batch.All() {
		for _, size := range []struct{ texts, long int }{{2, 100_000}, {8, reading.MaxText}} {
			t.Run(fmt.Sprintf("%s/%d", c.Name(), size.long), func(t *testing.T) {
				held := roundTrip(t, c, size.texts, size.long)
				runtime.GC()
				for what, p := range held {
					if p.Value() != nil {
						t.Errorf("%s is kept", what)
					}
				}
			})
		}
	}
}

// roundTrip returns pointers to what went into a codec and came out of it: the
// texts, and the body when it is long.
//
//go:noinline
func roundTrip(t *testing.T, c batch.Codec, texts, long int) map[string]weak.Pointer[byte] {
	held := make(map[string]weak.Pointer[byte])
	hold := func(what string, rs []reading.Reading) {
		for i := range rs {
			held[fmt.Sprintf("text %d %s", i, what)] = weak.Make(unsafe.StringData(rs[i].Value.Text()))
		}
	}
	random := rand.NewChaCha8([32]byte{})
	written := make([]reading.Reading, texts)
	for i := range written {
		noise := make([]byte, long*3/4)
		_, _ = random.Read(noise) // it never fails
		text := base64.RawStdEncoding.EncodeToString(noise)
		if i == 0 {
			text = "\n" + text[1:] // an escape takes another way
		}
		written[i] = reading.Reading{Device: "d", Tag: "t", Value: reading.OfText(text)}
	}
	hold("that was written", written)
	body, err := c.Append(nil, written)
	if err != nil {
		t.Fatal(err)
	}
	if len(body) > 4<<20 {
		held["the body"] = weak.Make(&body[0])
	}
	read, err := c.Decode(nil, body, batch.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	hold("that was read", read)
	return held
}
