package cloudapi

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/readingtest"
)

// admitted is what the administrator is told.
type admitted struct {
	Faults Faults
	Lies   []struct {
		Kind        string
		Truth, Told json.RawMessage
		Until       *time.Time
	}
}

func (a *api) faults(t tb) (told admitted) {
	t.Helper()
	a.ask(t, ScopeAdmin, "GET", "/admin/faults", "", nil).read(t, http.StatusOK, &told)
	return told
}

func (a *api) setFaults(t tb, text string) (told admitted) {
	t.Helper()
	a.ask(t, ScopeAdmin, "PUT", "/admin/faults", "application/json", []byte(text)).read(t, http.StatusOK, &told)
	return told
}

// expected is what should be told of the truth, if the administrator is told
// the truth about the lies.
func (a admitted) expected(t tb, truth []reading.Reading, now time.Time) (want []reading.Reading) {
	t.Helper()
	var p reading.Parser
	parse := func(text []byte) reading.Reading {
		r, err := p.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want = slices.Clone(truth)
	for _, l := range a.Lies {
		r := parse(l.Truth)
		i := slices.Index(want, r)
		if i < 0 {
			t.Fatalf("%s is said to be true, and was never delivered", l.Truth)
		}
		switch l.Kind {
		case "drop":
			want = slices.Delete(want, i, i+1)
		case "alter":
			want[i] = parse(l.Told)
			if want[i].Value == r.Value || want[i].Value.Kind() != r.Value.Kind() && r.Value.Kind() != reading.None {
				t.Fatalf("%s was altered to %s", l.Truth, l.Told)
			}
		case "duplicate":
			want = slices.Insert(want, i, r)
		case "late":
			if now.Before(*l.Until) {
				want = slices.Delete(want, i, i+1)
			}
		}
	}
	return want
}

func (a admitted) counts() map[string]int {
	n := map[string]int{}
	for _, l := range a.Lies {
		n[l.Kind]++
	}
	return n
}

// TestLies: the API lies about as many readings as was asked for, and tells the
// administrator exactly about which, whenever the faults were set.
func TestLies(t *testing.T) {
	truth := inOrder(append(seconds("a", 0, 150), seconds("b", 0, 150)...))
	const faults = `{"seed": 7, "oneIn": 10, "drop": 5, "alter": 4, "duplicate": 3, "late": 2, "lateFor": "1m"}`
	want := map[string]int{"drop": 5, "alter": 4, "duplicate": 3, "late": 2}
	for _, when := range []string{"before", "between", "after"} {
		t.Run(when, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "readings.db")
			a := start(t, Options{Data: data})
			if when == "before" {
				if told := a.setFaults(t, faults); len(told.Lies) != 0 || told.Faults.Drop != 5 {
					t.Errorf("told %+v", told)
				}
			}
			a.frame(t, 1, seconds("a", 0, 150)...).took(t, 150, 0)
			if when == "between" {
				a.setFaults(t, strings.NewReplacer("10", "100").Replace(faults)) // so that some are left
			}
			a.frame(t, 1, seconds("b", 0, 150)...).took(t, 150, 0)
			a.frame(t, 1, seconds("b", 0, 150)...).took(t, 0, 150)
			a.lines(t, "", seconds("b", 0, 150)...).took(t, 0, 150)
			if when == "after" {
				a.setFaults(t, faults)
			}
			told := a.faults(t)
			if when != "between" && !reflect.DeepEqual(told.counts(), want) {
				t.Errorf("lies %v, want %v", told.counts(), want)
			}
			for _, limit := range []string{"1", "7", "10000"} {
				if got, want := a.all(t, url.Values{"limit": {limit}}), told.expected(t, truth, a.clock.read()); !slices.Equal(got, want) {
					t.Errorf("pages of %s: %d readings, want %d", limit, len(got), len(want))
				}
			}
			if slices.Equal(told.expected(t, truth, a.clock.read()), truth) {
				t.Error("all is true")
			}
			// What is late appears.
			before := len(a.all(t, url.Values{}))
			a.clock.advance(59 * time.Second)
			if got := len(a.all(t, url.Values{})); got != before {
				t.Errorf("%d readings before the time, %d earlier", got, before)
			}
			a.clock.advance(time.Second)
			got := a.all(t, url.Values{})
			if want := told.expected(t, truth, a.clock.read()); !slices.Equal(got, want) || len(got) != before+told.counts()["late"] {
				t.Errorf("%d readings when what is late has come, %d before", len(got), before)
			}
			// They outlive the server, and the same are not chosen again.
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			b := start(t, Options{Data: data})
			b.clock.advance(time.Minute)
			if again := b.faults(t); !reflect.DeepEqual(again, told) {
				t.Errorf("after a restart %+v, before %+v", again, told)
			}
			if again := b.all(t, url.Values{}); !slices.Equal(again, got) {
				t.Error("another answer after a restart")
			}
			b.frame(t, 2, seconds("b", 150, 300)...).took(t, 150, 0)
			if n := b.faults(t).counts(); when != "between" && !reflect.DeepEqual(n, want) {
				t.Errorf("lies %v after more deliveries, want %v", n, want)
			}
			// And end with the faults.
			if told := b.setFaults(t, `{}`); len(told.Lies) != 0 {
				t.Errorf("still %+v", told)
			}
			if got := b.all(t, url.Values{"to": {"1970-01-01T00:02:30Z"}}); !slices.Equal(got, truth) {
				t.Errorf("%d readings in the end", len(got))
			}
		})
	}
}

// TestLiesFollowTheSeed: the same seed lies about the same readings in the same
// way, another one about others.
func TestLiesFollowTheSeed(t *testing.T) {
	lies := func(seed uint64, sizes ...int) admitted {
		a := start(t, Options{Faults: &Faults{Seed: seed, OneIn: 10, Drop: 10, Alter: 10, Duplicate: 10}})
		from := 0
		for i, n := range sizes {
			a.frame(t, uint64(i+1), seconds("a", from, from+n)...).took(t, n, 0)
			from += n
		}
		return a.faults(t)
	}
	one := lies(1, 1000)
	if again := lies(1, 300, 1, 699); !reflect.DeepEqual(again, one) {
		t.Errorf("in other batches: %v, not %v", again, one)
	}
	other := lies(2, 1000)
	other.Faults.Seed = 1
	if reflect.DeepEqual(other, one) {
		t.Error("another seed, the same lies")
	}
	if n := one.counts(); n["drop"] != 10 || n["alter"] != 10 || n["duplicate"] != 10 {
		t.Errorf("lies %v", n)
	}
}

// TestChoiceIsSpread: on average one in so many is chosen.
func TestChoiceIsSpread(t *testing.T) {
	for _, oneIn := range []int{1, 2, 10, 64, 1000} {
		c, n := newChooser(Faults{Seed: 3, OneIn: oneIn, Drop: math.MaxInt}, nil), 0
		for i := range 100_000 {
			r := second(fmt.Sprint("d", i%10), i/10, 0)
			if _, ok := c.choose(&r, 100); ok {
				n++
			}
		}
		want := 100_000 / float64(oneIn)
		if spread := 5 * math.Sqrt(want); math.Abs(float64(n)-want) > spread {
			t.Errorf("one in %d: %d chosen, want %.0f ± %.0f", oneIn, n, want, spread)
		}
	}
}

// TestNoTruthBeforeTheLie: who reads while readings are delivered never sees one
// that is dropped.
func TestNoTruthBeforeTheLie(t *testing.T) {
	a := start(t, Options{Faults: &Faults{OneIn: 1, Drop: MaxLies}})
	var delivering sync.WaitGroup
	var done atomic.Bool
	delivering.Go(func() {
		defer done.Store(true)
		for i := range 100 {
			d := delivery{readings: seconds("d", 10*i, 10*i+10)}
			if _, err := a.store.put(t.Context(), &d); err != nil {
				t.Error(err)
			}
		}
	})
	for !done.Load() {
		p, err := a.store.page(t.Context(), &query{limit: maxLimit})
		if err != nil || len(p.readings) > 0 {
			t.Errorf("%d readings are told, error %v", len(p.readings), err)
			break
		}
	}
	delivering.Wait()
}

// TestEachBitOfTheSeedCounts, also where few bits of the hash do.
func TestEachBitOfTheSeedCounts(t *testing.T) {
	chosen := func(seed uint64) (at []int) {
		c := newChooser(Faults{Seed: seed, OneIn: 64, Drop: math.MaxInt}, nil)
		for i := range 2000 {
			r := second("d", i, 0)
			if _, ok := c.choose(&r, 100); ok {
				at = append(at, i)
			}
		}
		return at
	}
	none := chosen(0)
	for bit := range 64 {
		if slices.Equal(chosen(1<<bit), none) {
			t.Errorf("bit %d of the seed does not count", bit)
		}
	}
}

// TestRefusedDeliveryIsNotLiedAbout: what is not stored uses up no lie.
func TestRefusedDeliveryIsNotLiedAbout(t *testing.T) {
	a := start(t, Options{})
	a.lines(t, "", second("d", 0, 0)).took(t, 1, 0)
	a.setFaults(t, `{"oneIn": 1, "drop": 3}`)
	a.lines(t, "", second("d", 1, 1), second("d", 0, 1)).refused(t, http.StatusUnprocessableEntity, "reading 2")
	if told := a.faults(t); len(told.Lies) != 1 {
		t.Errorf("told %+v", told)
	}
	a.lines(t, "", seconds("d", 1, 4)...).took(t, 3, 0)
	if got := a.all(t, url.Values{}); len(got) != 1 || got[0] != second("d", 3, 3) {
		t.Errorf("got %+v", got)
	}
}

// TestLongReadingsAreNotChosen: lies stay in memory.
func TestLongReadingsAreNotChosen(t *testing.T) {
	a := start(t, Options{Faults: &Faults{OneIn: 1, Alter: 1}})
	r := second("d", 0, 0)
	r.Value = reading.OfText(strings.Repeat("x", maxLieBytes))
	a.lines(t, "", r, second("d", 1, 1)).took(t, 2, 0)
	if told := a.faults(t); len(told.Lies) != 1 || !strings.Contains(string(told.Lies[0].Truth), `"value":1.0`) {
		t.Errorf("told %+v", told)
	}
}

func TestAltered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, n := readingtest.Values().Draw(t, "value"), rapid.Uint64().Draw(t, "n")
		r := second("d", 0, 0)
		r.Value = altered(v, n)
		if r.Value == v || r.Value != altered(v, n) || v.Kind() != reading.None && r.Value.Kind() != v.Kind() {
			t.Fatalf("%+v became %+v", v, r.Value)
		}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStalledWatermark(t *testing.T) {
	a := start(t, Options{Faults: &Faults{StallWatermark: true}})
	a.frame(t, 1, seconds("d", 0, 10)...).took(t, 10, 0)
	if got := a.watermark(t); got != "" {
		t.Errorf("watermark %q, though there was none when it was stopped", got)
	}
	a.setFaults(t, `{}`)
	if got := a.watermark(t); got != "1970-01-01T00:00:09Z" {
		t.Errorf("watermark %q", got)
	}
	a.setFaults(t, `{"stallWatermark": true}`)
	a.frame(t, 2, seconds("d", 10, 20)...).took(t, 10, 0)
	if got := a.watermark(t); got != "1970-01-01T00:00:09Z" {
		t.Errorf("watermark %q moved", got)
	}
	// A second time it stays where it was.
	a.setFaults(t, `{"stallWatermark": true, "drop": 1}`)
	if p := a.page(t, url.Values{}); p.watermark != "1970-01-01T00:00:09Z" || len(p.readings) != 20 {
		t.Errorf("watermark %q with %d readings", p.watermark, len(p.readings))
	}
	a.setFaults(t, `{"drop": 1}`)
	if got := a.watermark(t); got != "1970-01-01T00:00:19Z" {
		t.Errorf("watermark %q in the end", got)
	}
}

func TestFaultsRefused(t *testing.T) {
	a := start(t, Options{})
	for _, tt := range []struct {
		text   string
		status int
		detail string
	}{
		{`{"drop": 1001}`, 400, "drop: 1001 is out of range"},
		{`{"drop": -1, "late": -2}`, 400, "late: -2 is out of range"},
		{`{"oneIn": -1}`, 400, "oneIn"},
		{`{"lateFor": "-1s"}`, 400, "lateFor"},
		{`{"lateFor": "soon"}`, 400, "soon"},
		{`{"unavailable": -1}`, 400, "unavailable"},
		{`{"drops": 1}`, 400, "drops"},
		{`{} {}`, 400, "follows"},
		{``, 400, "EOF"},
		{strings.Repeat(" ", maxFaultsBody+1), 413, "16384 bytes"},
	} {
		a.ask(t, ScopeAdmin, "PUT", "/admin/faults", "application/json", []byte(tt.text)).refused(t, tt.status, tt.detail)
	}
	if told := a.faults(t); !reflect.DeepEqual(told.Faults, Faults{}.orDefaults()) {
		t.Errorf("faults %+v", told)
	}
}
