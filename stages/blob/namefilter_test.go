package blob

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

func filterOf(t rapid.TB, path string, exactly bool) *nameFilter {
	cfg := DefaultObservationConfig()
	cfg.Path, cfg.ExactlyOnce = path, exactly
	f, err := newNameFilter(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestNamesThatASinkMakes: whatever the path and the message, an object is found
// when its time is asked for.
func TestNamesThatASinkMakes(t *testing.T) {
	paths := []string{
		"{date}/{hour}/{route}-{hash}", "hive", "{year}/{month}/{day}/{hour}/{minute}/{meta.site}", "{meta.site}/{date}/{hash}", "{topic}-{date}-{hour}",
		"x/{date}-{meta.site}-{topic}", "{feed}/{year}", "all", "{hour}/{date}/{hash}", "{month}/{year}", "{meta.site}-{year}{month}{day}", "{hour}-{minute}",
	}
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"undated", "2026-01-01-05", "a-b", "", "..", "x-2020-02-02"}))
	at := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-1e10/2, 9e9).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanos")).UTC()
	})
	rapid.Check(t, func(t *rapid.T) {
		exactly := rapid.Bool().Draw(t, "exactly")
		path := rapid.SampledFrom(paths).Draw(t, "path")
		if exactly {
			path = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(path, "-{hash}"), "/{hash}"), "{hash}")
		}
		sink := Config{Path: path, ExactlyOnce: exactly}
		tmpl, err := sink.template()
		if err != nil {
			t.Fatal(err)
		}
		f := filterOf(t, path, exactly)
		when := at.Draw(t, "time")
		m := msg("1", "topic", text.Draw(t, "topic"), "site", text.Draw(t, "site"))
		hasTime := rapid.Bool().Draw(t, "hasTime")
		if hasTime {
			m.Metadata.Set(feed.MetaTime, when.Format(time.RFC3339Nano))
		}
		r := &renderer{template: tmpl, route: text.Draw(t, "route"), feed: text.Draw(t, "feed")}
		end := strings.Repeat("a", hashLen)
		if exactly {
			end = "telemetry-1-5-17-1"
		}
		name := nameOf(string(r.render(m, "", when)), end, Zstd.extension())

		// A length of time with the message's within.
		from := when.Add(-time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(t, "before")))
		to := when.Add(time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(t, "after")))
		prefixes := f.prefixes(from, to)
		listed := 0
		for _, p := range prefixes {
			if strings.HasPrefix(name, p) {
				listed++
			}
		}
		if made, ofTime := f.fits(name, from, to); !made || !ofTime || listed != 1 {
			t.Fatalf("%s: made %v, of the time %v, listed %d times by %d prefixes from %s to %s", name, made, ofTime, listed, len(prefixes), from, to)
		}
		if len(prefixes) > mostPrefixes+1 {
			t.Fatalf("%d prefixes", len(prefixes))
		}
	})
}

func TestPrefixes(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse("2006-01-02T15", text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		path     string
		exactly  bool
		from, to string
		want     string // the first and the last, and how many
	}{
		{"{date}/{hour}/{hash}", false, "2026-11-20T23", "2026-11-21T01", "2026-11-20/23/ 2026-11-21/01/ 3"},
		{"{date}/{hour}", true, "2026-11-20T23", "2026-11-21T01", "2026-11-20/23/ undated/undated/ 4"},
		{"hive", false, "2026-11-20T23", "2026-11-20T23", "date=2026-11-20/hour=23/ date=2026-11-20/hour=23/ 1"},
		{"{date}/{hour}/{hash}", false, "2026-11-01T00", "2026-11-21T00", "2026-11-01/ 2026-11-21/ 21"},
		{"{year}/{month}/{day}/{hash}", false, "2020-01-01T00", "2026-11-21T00", "2020/01/ 2026/11/ 83"},
		{"{year}/{month}/{day}/{hash}", false, "1700-01-01T00", "2200-01-01T00", "  1"},
		{"{meta.site}/{date}", false, "2026-11-01T00", "2026-11-21T00", "  1"},
		{"plain/{hash}", false, "2026-11-01T00", "2026-11-21T00", "plain/ plain/ 1"},
	} {
		got := filterOf(t, c.path, c.exactly).prefixes(at(c.from), at(c.to))
		if text := fmt.Sprint(got[0], " ", got[len(got)-1], " ", len(got)); text != c.want {
			t.Errorf("%s from %s to %s: %q, want %q", c.path, c.from, c.to, text, c.want)
		}
	}
}

func TestNamesThatDoNotCount(t *testing.T) {
	hash := strings.Repeat("0", hashLen)
	noon := time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		path, name   string
		exactly      bool
		made, ofTime bool
	}{
		{"{date}/{hour}/{hash}", "2026-11-21/12/" + hash + ".ndjson", false, true, true},
		{"{date}/{hour}/{hash}", "2026-11-21/13/" + hash + ".ndjson", false, true, false},
		{"{date}/{hour}/{hash}", "2026-11-21/12/" + hash + ".csv", false, false, false},
		{"{date}/{hour}/{hash}", "2026-11-21/12/sub/" + hash + ".ndjson", false, false, false},
		{"{date}/{hour}/{hash}", "2026-11-21/12/x.ndjson", false, false, false},
		{"{hour}/{hash}", "13/" + hash + ".ndjson", false, true, true}, // of no known day
		{"{date}", "2026-11-21/s-1-0-5-1.parquet", true, true, true},
		{"{date}", "2026-11-21/s-x-1-0-5-1.parquet", true, true, true},
		{"{date}", "undated/s-1-0-5-1.parquet", true, true, true},
		{"{date}", "undated/1-0-5-1.parquet", true, false, false},
		{"{date}/{hash}", "undated/" + hash + ".ndjson", false, false, false},
	} {
		made, ofTime := filterOf(t, c.path, c.exactly).fits(c.name, noon, noon.Add(time.Minute))
		if made != c.made || ofTime != c.ofTime {
			t.Errorf("%s: %s: made %v, of the time %v", c.path, c.name, made, ofTime)
		}
	}
}

// TestTimeOfStrayNames: what the path does not make tells the time of the directories
// that it does make.
func TestTimeOfStrayNames(t *testing.T) {
	hash := strings.Repeat("0", hashLen)
	for _, c := range []struct {
		path, name  string
		exactly     bool
		first, last string // the first minute, and the last one
	}{
		{"{date}/{hour}/{hash}", "2026-11-21/12/README.txt", false, "2026-11-21 12:00", "2026-11-21 12:59"},
		{"{date}/{hour}/{hash}", "2026-11-21/12/old/" + hash + ".ndjson", false, "2026-11-21 12:00", "2026-11-21 12:59"},
		{"{date}/{hour}/{hash}", "2026-11-21/README.txt", false, "2026-11-21 00:00", "2026-11-21 23:59"},
		{"{date}/{hour}/{hash}", "2026-11-21/24/README.txt", false, "", ""},
		{"{date}/{hour}/{hash}", "2026-11-21/noon/README.txt", false, "2026-11-21 00:00", "2026-11-21 23:59"},
		{"{date}/{hour}/{hash}", "2026-02-30/README.txt", false, "", ""},
		{"{date}/{hour}/{hash}", "README.txt", false, "", ""},
		{"{date}/{hour}/{hash}", "2026-11-21", false, "", ""},
		{"{date}/{hour}/{hash}", "old/2026-11-21/12/README.txt", false, "", ""},
		{"hive", "date=2026-11-21/hour=12/README.txt", false, "2026-11-21 12:00", "2026-11-21 12:59"},
		{"{year}/{month}/{day}/{hash}", "2026/README.txt", false, "2026-01-01 00:00", "2026-12-31 23:59"},
		{"{year}/{month}/{day}/{hash}", "2026/11/README.txt", false, "2026-11-01 00:00", "2026-11-30 23:59"},
		{"{meta.site}/{date}/{hash}", "plant1/2026-11-21/README.txt", false, "2026-11-21 00:00", "2026-11-21 23:59"},
		{"{hour}/{date}/{hash}", "12/README.txt", false, "", ""},
		{"{hour}/{date}/{hash}", "12/2026-11-21/README.txt", false, "2026-11-21 12:00", "2026-11-21 12:59"},
		{"{date}", "2026-11-21/README.txt", true, "2026-11-21 00:00", "2026-11-21 23:59"},
		{"{date}", "undated/README.txt", true, "", ""},
		{"plain/{hash}", "plain/README.txt", false, "", ""},
		{"{date}-{hash}", "2026-11-21-README.txt", false, "", ""},
	} {
		in := filterOf(t, c.path, c.exactly).filed(c.name)
		first, last := "", ""
		if in.dated {
			first, last = in.first.Format("2006-01-02 15:04"), in.after.Add(-time.Minute).Format("2006-01-02 15:04")
		}
		if in.made || first != c.first || last != c.last {
			t.Errorf("%s: %s is made %v, of %s to %s; want of %s to %s", c.path, c.name, in.made, first, last, c.first, c.last)
		}
	}
}

func TestCompareRanges(t *testing.T) {
	want := []string{
		"d/s-1-0-9-1.ndjson", "d/s-1-10-99-1.ndjson", "d/s-1-10-99-2.ndjson", "d/s-1-10-99-10.ndjson", "d/s-1-100-200-1.ndjson", "d/s-2-0-5-1.ndjson.gz", "d/s-10-0-5-1.ndjson",
	}
	got := slices.Clone(want)
	slices.Sort(got)
	slices.SortFunc(got, compareRanges)
	if !slices.Equal(got, want) {
		t.Errorf("the order is %v", got)
	}
}
