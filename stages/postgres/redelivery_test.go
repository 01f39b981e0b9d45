package postgres

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
)

func compareKeys(a, b key) int {
	return cmp.Or(strings.Compare(a.device, b.device), strings.Compare(a.tag, b.tag), cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq))
}

func slicesSortKeys(keys []key) { slices.SortFunc(keys, compareKeys) }

// TestRedelivery: what is there already is left as it is, row by row.
func TestRedelivery(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newSink(t, nil)
	rs := series50(0, 3000)
	mustPublish(t, s, rs[:2000]...)
	const rows = `SELECT md5(string_agg(concat(xmin, ctid, p), '' ORDER BY seq)) FROM telemetry.points p WHERE seq < -9223372036854775808 + 2000`
	before := query[string](t, s.config, rows)
	mustPublish(t, s, rs[:2000]...)
	mustPublish(t, s, rs[1000:]...)
	mustPublish(t, s, append(slices.Clone(rs[2500:]), rs[2500:]...)...)
	mustPublish(t, openSink(t, s.config), rs...)
	// What is new goes the cheap way again, and what is not is still found there.
	if mustPublish(t, s, series50(3000, 10)...); s.writer.repeated {
		t.Error("new readings are taken for repeated ones")
	}
	rs = append(rs, series50(3000, 20)...)
	mustPublish(t, s, rs[3005:]...)
	if !s.writer.repeated {
		t.Error("repeated readings are taken for new ones")
	}
	if after := query[string](t, s.config, rows); after != before {
		t.Error("rows have changed")
	}
	checkStored(t, s.config, rs...)
}

// failuresOf publishes readings of which some must be refused, and returns them.
func failuresOf(t *testing.T, s *Sink, rs ...reading.Reading) []feed.Failure {
	t.Helper()
	err := publish(t.Context(), s, rs...)
	var failed *feed.BatchError
	if !errors.As(err, &failed) {
		t.Fatalf("publish: %v, want a *feed.BatchError", err)
	}
	for _, f := range failed.Failures {
		if !feed.IsPermanent(f.Err) {
			t.Errorf("message %d failed, but not for ever: %v", f.Index, f.Err)
		}
	}
	return failed.Failures
}

// TestConflict: another reading with the same key is neither stored nor dropped.
func TestConflict(t *testing.T) {
	s := newSink(t, nil)
	base := reading.Reading{Site: "plant1", Device: "d", Tag: "t", Time: noon.UnixNano(), Quality: "good", Seq: 7}
	with := func(edit func(*reading.Reading)) reading.Reading { r := base; edit(&r); return r }
	nan := func(bits uint64) reading.Value { return reading.OfFloat(math.Float64frombits(bits)) }
	for _, tt := range []struct{ first, second reading.Value }{
		{reading.OfFloat(1), reading.OfFloat(2)},
		{reading.OfFloat(0), reading.OfFloat(math.Copysign(0, -1))},
		{nan(0x7ff8000000000001), nan(0x7ff8000000000002)},
		{nan(0x7ff0000000000001), nan(0x7ff8000000000001)}, // signalling and quiet
		{reading.OfInt(2), reading.OfFloat(2)},
		{reading.OfText("true"), reading.OfBool(true)},
		{reading.OfText("a\x00"), reading.OfText("a")},
		{reading.Value{}, reading.OfText("")},
	} {
		base.Time++
		first, second := with(func(r *reading.Reading) { r.Value = tt.first }), with(func(r *reading.Reading) { r.Value = tt.second })
		mustPublish(t, s, first)
		fs := failuresOf(t, s, first, second, first)
		if len(fs) != 1 || fs[0].Index != 1 || !strings.Contains(fs[0].Err.Error(), string(first.AppendJSON(nil))) {
			t.Errorf("%+v after %+v: %v", tt.second, tt.first, fs)
		}
	}
	mustPublish(t, s, base)
	for name, edit := range map[string]func(*reading.Reading){
		"quality": func(r *reading.Reading) { r.Quality = "bad" },
		"site":    func(r *reading.Reading) { r.Site = "plant2" },
		"line":    func(r *reading.Reading) { r.Line = "line2" },
	} {
		if fs := failuresOf(t, s, with(edit)); len(fs) != 1 {
			t.Errorf("another %s: %v", name, fs)
		}
	}
	// In one batch the first one wins, and what is bad in itself keeps its place.
	next := with(func(r *reading.Reading) { r.Time++ })
	other := with(func(r *reading.Reading) { r.Time++; r.Value = reading.OfInt(1) })
	zero := with(func(r *reading.Reading) { r.Quality = "\x00" })
	fs := failuresOf(t, s, zero, next, other, next, zero)
	if len(fs) != 3 || fs[0].Index != 0 || fs[1].Index != 2 || fs[2].Index != 4 {
		t.Errorf("failures %v, want those of 0, 2 and 4", fs)
	}
}

// TestRefusedRows: the server's own rules refuse single rows, and the others are
// stored.
func TestRefusedRows(t *testing.T) {
	s := newSink(t, nil)
	rs := series50(0, 500)
	mustPublish(t, s, rs[0])
	exec(t, s.config, `
		ALTER TABLE points ADD CONSTRAINT plausible CHECK (float <> 12.3 AND float <> 40);
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.float = 20.0 THEN RAISE EXCEPTION 'no twenty'; END IF;
			IF NEW.float = 30.0 THEN RETURN NULL; END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON points FOR EACH ROW EXECUTE FUNCTION refuse()`)
	fs := failuresOf(t, s, rs...)
	want := []struct {
		index int
		text  string
	}{{123, "plausible"}, {200, "no twenty"}, {300, "does not have it"}, {400, "plausible"}}
	if len(fs) != len(want) {
		t.Fatalf("failures %v, want %v", fs, want)
	}
	for i, w := range want {
		if fs[i].Index != w.index || !strings.Contains(fs[i].Err.Error(), w.text) {
			t.Errorf("failure %+v, want %+v", fs[i], w)
		}
	}
	if got := stored(t, s.config); len(got) != len(rs)-len(want) {
		t.Errorf("%d readings are stored, want %d", len(got), len(rs)-len(want))
	}
}

// TestRefusedNames: the server's rules refuse names, and the readings that have
// others are stored.
func TestRefusedNames(t *testing.T) {
	s := newSink(t, nil)
	mustPublish(t, s, series50(0, 1)...)
	exec(t, s.config, `
		ALTER TABLE series ADD CONSTRAINT plausible CHECK (device <> 'device03');
		ALTER TABLE places ADD CONSTRAINT known CHECK (line <> 'line4');
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.device = 'device10' THEN RAISE EXCEPTION 'no ten'; END IF;
			IF NEW.device = 'device20' THEN RETURN NULL; END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON series FOR EACH ROW EXECUTE FUNCTION refuse()`)
	rs := series50(0, 30)
	want := map[int]string{3: "plausible", 10: "no ten", 20: "no id"}
	for i := range 30 {
		if i%5 == 4 {
			want[i] = "known"
		}
	}
	for range 2 { // no more is known of them the second time
		fs := failuresOf(t, s, rs...)
		if len(fs) != len(want) {
			t.Fatalf("failures %v, want those of %v", fs, want)
		}
		for _, f := range fs {
			if w := want[f.Index]; w == "" || !strings.Contains(f.Err.Error(), w) {
				t.Errorf("failure %+v, want %q", f, w)
			}
		}
	}
	if got := stored(t, s.config); len(got) != len(rs)-len(want) {
		t.Errorf("%d readings are stored, want %d", len(got), len(rs)-len(want))
	}
	exec(t, s.config, `ALTER TABLE series DROP CONSTRAINT plausible; ALTER TABLE places DROP CONSTRAINT known; DROP TRIGGER refuse ON series`)
	mustPublish(t, s, series50(0, 30)...)
}
