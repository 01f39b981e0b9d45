package feed_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]feed.Size{
		"0": 0, "17": 17, "17B": 17, "4KiB": 4096, "4 MiB": 4 << 20, "1GiB": 1 << 30, "2TiB": 2 << 40, "1kB": 1000, "5GB": 5e9,
	} {
		if got, err := feed.ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "1.5MiB", "4mb", "MiB", "9999999999TiB", "1 1"} {
		if got, err := feed.ParseSize(text); err == nil {
			t.Errorf("%q parses as %d", text, got)
		}
	}
}

func TestSizeTextRoundTrips(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := feed.Size(rapid.Int64Min(0).Draw(rt, "size"))
		text, err := want.MarshalText()
		if err != nil {
			rt.Fatal(err)
		}
		var got feed.Size
		if err := got.UnmarshalText(text); err != nil || got != want {
			rt.Fatalf("%s reads as %d (%v), want %d", text, got, err, want)
		}
	})
}

func FuzzParseSize(f *testing.F) {
	f.Add("4MiB")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := feed.ParseSize(text); err == nil && s < 0 {
			t.Errorf("%q parses as the negative %d", text, s)
		}
	})
}
