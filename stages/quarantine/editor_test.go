package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// fill stores n items: of the routes r0 and r1, the stages s0 to s2 and with
// their number as reason, an hour apart.
func fill(t testing.TB, s *Store, n int) {
	t.Helper()
	start := time.Date(2026, 3, 1, 0, 0, 0, 123, time.UTC)
	items := make([]feed.QuarantineItem, n)
	for i := range items {
		items[i] = itemOf(fmt.Sprintf("reason %d.", i+1), 10)
		items[i].Route, items[i].Stage = fmt.Sprintf("r%d", i%2), fmt.Sprintf("s%d", i%3)
		items[i].Time = start.Add(time.Duration(i) * time.Hour)
	}
	if err := s.Put(t.Context(), items); err != nil {
		t.Fatal(err)
	}
}

// chosen returns the ids that a query chooses, the oldest first.
func chosen(t testing.TB, r *Reader, q Query) string {
	t.Helper()
	items, err := r.Fetch(t.Context(), q, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, it := range items {
		ids = append(ids, fmt.Sprint(it.ID))
	}
	return strings.Join(ids, " ")
}

func TestSelect(t *testing.T) { onBoth(t, testSelect) }

func testSelect(t *testing.T, open opener) {
	s := open(t, nil)
	fill(t, s, 10)
	e := edit(t, s)
	if _, err := e.Replay("route r0", "--id 2,3").Mark(t.Context(), []int64{2, 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Export("file x", "--id 3,4").Mark(t.Context(), []int64{3, 4}); err != nil {
		t.Fatal(err)
	}
	at := func(hour int) time.Time { return time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC) }
	for _, tt := range []struct {
		query Query
		want  string
	}{
		{Query{}, "1 2 3 4 5 6 7 8 9 10"},
		{Query{Limit: 3}, "1 2 3"},
		{Query{Limit: 3, After: 4}, "5 6 7"},
		{Query{IDs: []int64{7, 2, 99}}, "2 7"},
		{Query{IDs: []int64{}}, ""},
		{Query{Route: "r1", Stage: "s0"}, "4 10"},
		{Query{Reason: "reason 1"}, "1 10"},
		{Query{Reason: "1."}, "1"},
		{Query{Reason: "%"}, ""},
		{Query{Since: at(8)}, "9 10"},
		{Query{Until: at(2)}, "1 2"}, // the third is 123 ns later
		{Query{Since: at(2), Until: at(4)}, "3 4"},
		{Query{State: StateWaiting}, "1 5 6 7 8 9 10"},
		{Query{State: StateReplayed}, "2 3"},
		{Query{State: StateExported}, "3 4"},
		{Query{State: StateHandled}, "2 3 4"},
		{Query{State: StateUnreplayed, Before: 6}, "1 4 5"},
	} {
		if got := chosen(t, s.Reader, tt.query); got != tt.want {
			t.Errorf("%+v: ids %s, want %s", tt.query, got, tt.want)
		}
	}
	counts, err := s.CountByRoute(t.Context(), Query{State: StateHandled, Limit: 1})
	if err != nil || len(counts) != 2 || counts[0].Route != "r0" || counts[0].Messages != 1 || counts[1].Messages != 2 || counts[1].Bytes <= 20 {
		t.Errorf("counts %+v, error %v", counts, err)
	}
}

// TestSnapshot checks that what comes later is not chosen.
func TestSnapshot(t *testing.T) { onBoth(t, testSnapshot) }

func testSnapshot(t *testing.T, open opener) {
	s := open(t, nil)
	snapshot := func(q Query) Query {
		t.Helper()
		q, err := s.Snapshot(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	none := snapshot(Query{})
	fill(t, s, 4)
	four, two := snapshot(Query{}), snapshot(Query{Before: 3})
	fill(t, s, 2)
	for _, tt := range []struct {
		query Query
		want  string
	}{{none, ""}, {four, "1 2 3 4"}, {two, "1 2"}, {snapshot(Query{Route: "r1"}), "2 4 6"}} {
		if got := chosen(t, s.Reader, tt.query); got != tt.want {
			t.Errorf("%+v: ids %s, want %s", tt.query, got, tt.want)
		}
	}
}

// TestFetchIsBounded checks that large payloads are not read all at once.
func TestFetchIsBounded(t *testing.T) {
	s := open(t, nil)
	for range 5 {
		if err := s.Put(t.Context(), []feed.QuarantineItem{itemOf("x", 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	items, err := s.Fetch(t.Context(), Query{}, 2500)
	if err != nil || len(items) != 3 {
		t.Errorf("%d items, error %v, want 3", len(items), err)
	}
}

func TestMarks(t *testing.T) { onBoth(t, testMarks) }

func testMarks(t *testing.T, open opener) {
	s := open(t, nil)
	fill(t, s, 5000)
	e := edit(t, s)
	before := time.Now().Truncate(time.Microsecond)
	run := e.Replay("route r0", "--all")
	ids := make([]int64, 0, 4500)
	for id := int64(1); id <= 4500; id++ {
		ids = append(ids, id)
	}
	for _, part := range [][]int64{ids[:2500], ids[2500:], {9999}} {
		if _, err := run.Mark(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	it, err := s.Get(t.Context(), 4500)
	if err != nil || it.Replayed.To != "route r0" || it.Replayed.Time.Before(before) || !it.Exported.IsZero() {
		t.Errorf("item %+v, error %v", it.Replayed, err)
	}
	if it, err := s.Get(t.Context(), 4501); err != nil || !it.Replayed.IsZero() {
		t.Errorf("item %+v, error %v", it.Replayed, err)
	}
	if _, err := e.Export("file \x00\xff", "--id 1").Mark(t.Context(), []int64{1}); err != nil {
		t.Fatal(err)
	}
	audit, err := s.Audit(t.Context(), 10)
	if err != nil || len(audit) != 2 {
		t.Fatalf("audit %+v, error %v", audit, err)
	}
	if a := audit[0]; a.Action != ActionExport || a.Messages != 1 || a.Target != "file \x00\xff" {
		t.Errorf("audit %+v", a)
	}
	if a := audit[1]; a.Action != ActionReplay || a.Messages != 4500 || a.Bytes < 4500*rowOverhead || a.Selection != "--all" || a.Started.After(a.Ended) {
		t.Errorf("audit %+v", a)
	}
	checkTotals(t, s, 5000)
}

func TestPurge(t *testing.T) { onBoth(t, testPurge) }

func testPurge(t *testing.T, open opener) {
	s := open(t, nil)
	fill(t, s, 3*pageIDs)
	e := edit(t, s)
	run := e.Replay("route r0", "--route r0")
	if _, err := run.Mark(t.Context(), []int64{1, 3, 5}); err != nil {
		t.Fatal(err)
	}
	n, _, err := e.Purge(t.Context(), Query{State: StateHandled}, "--all", nil)
	if err != nil || n != 3 {
		t.Errorf("%d removed, error %v, want 3", n, err)
	}
	var seen []int64
	n, bytes, err := e.Purge(t.Context(), Query{Route: "r0", Limit: 1}, "--route r0 --unhandled", func(n int64) { seen = append(seen, n) })
	if err != nil || n != 3*pageIDs/2-3 || int64(bytes) < n*rowOverhead || len(seen) != 2 || seen[0] != pageIDs {
		t.Errorf("%d removed, %d bytes, progress %d, error %v", n, bytes, seen, err)
	}
	checkTotals(t, s, 3*pageIDs/2)
	if n, _, err := e.Purge(t.Context(), Query{Route: "r0"}, "", nil); n != 0 || err != nil {
		t.Errorf("%d removed, error %v", n, err)
	}
	audit, err := s.Audit(t.Context(), 10)
	if err != nil || len(audit) != 3 || audit[0].Action != ActionPurge || audit[0].Messages != 3*pageIDs/2-3 || audit[0].Selection != "--route r0 --unhandled" {
		t.Errorf("audit %+v, error %v", audit, err)
	}
}

// TestEditors checks that one process edits at a time, while a feed writes.
func TestEditors(t *testing.T) { onBoth(t, testEditors) }

func testEditors(t *testing.T, open opener) {
	s := open(t, nil)
	fill(t, s, 2)
	e, err := OpenEditor(t.Context(), s.config.Place())
	if err != nil {
		t.Fatal(err)
	}
	if other, err := OpenEditor(t.Context(), s.config.Place()); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "wait for it") {
		t.Errorf("a second editor: %v", err)
		if err == nil {
			other.Close()
		}
	}
	done := make(chan error)
	go func() {
		var err error
		for i := 0; i < 50 && err == nil; i++ {
			err = s.Put(t.Context(), []feed.QuarantineItem{itemOf("meanwhile", 1)})
		}
		done <- err
	}()
	run := e.Replay("x", "y")
	for range 50 {
		if _, err := run.Mark(t.Context(), []int64{1, 2}); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	for range 50 { // the lock is free as soon as the editor is closed
		e, err := OpenEditor(t.Context(), s.config.Place())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	checkTotals(t, s, 52)
}

func TestEditorWithoutStore(t *testing.T) {
	if _, err := OpenEditor(t.Context(), Place{Feed: "f"}); err == nil {
		t.Error("an editor of nothing was opened")
	}
	if _, err := OpenEditor(t.Context(), Place{Path: t.TempDir() + "/none.db", Feed: "f"}); err == nil {
		t.Error("an editor of a file that is not there was opened")
	}
}

// TestMarkInPages checks that what is marked before a failure stays marked, and
// is told: a transaction marks a page at most.
func TestMarkInPages(t *testing.T) {
	s := open(t, nil)
	fill(t, s, 2*pageIDs)
	refuseAt(t, s, "UPDATE", pageIDs+5)
	ids := make([]int64, 2*pageIDs)
	for i := range ids {
		ids[i] = int64(i + 1)
	}
	e := edit(t, s)
	e.waits = nil
	run := e.Export("file x", "--all")
	if done, err := run.Mark(t.Context(), ids); done != pageIDs || err == nil || !strings.Contains(err.Error(), "as told") {
		t.Errorf("%d marked, error %v, want %d", done, err, pageIDs)
	}
	left := func() int64 {
		t.Helper()
		counts, err := s.CountByRoute(t.Context(), Query{State: StateWaiting})
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for _, c := range counts {
			n += c.Messages
		}
		return n
	}
	if n := left(); n != pageIDs {
		t.Errorf("%d are not marked, want %d", n, pageIDs)
	}
	if _, err := s.conn.db.Exec(`DROP TRIGGER refuse`); err != nil {
		t.Fatal(err)
	}
	// Those that are marked count once.
	if done, err := run.Mark(t.Context(), ids); done != len(ids) || err != nil {
		t.Errorf("%d marked, error %v", done, err)
	}
	if n := left(); n != 0 {
		t.Errorf("%d are not marked", n)
	}
	audit, err := s.Audit(t.Context(), 10)
	if err != nil || len(audit) != 1 || audit[0].Messages != 2*pageIDs {
		t.Errorf("audit %+v, error %v", audit, err)
	}
}

// TestEntryOfAFailedMark checks that a run whose first mark has failed does not
// count in the entry that another one has made meanwhile.
func TestEntryOfAFailedMark(t *testing.T) { onBoth(t, testEntryOfAFailedMark) }

func testEntryOfAFailedMark(t *testing.T, open opener) {
	s := open(t, nil)
	fill(t, s, 2)
	e := edit(t, s)
	ctx, cancel := context.WithCancel(t.Context()) // PostgreSQL may end the connection with it: then a mark takes the lock again
	run, other := e.Replay("x", "first"), e.Replay("x", "second")
	err := e.change(ctx, "test", func(ctx context.Context, tx *sql.Tx, now time.Time) error {
		if err := run.record.enter(ctx, e.schema, tx, now); err != nil {
			return err
		}
		cancel() // it is rolled back
		return nil
	})
	if err == nil || run.record.id == 0 {
		t.Fatalf("entry %d, error %v", run.record.id, err)
	}
	for _, r := range []*Run{other, run} {
		if _, err := r.Mark(t.Context(), []int64{1}); err != nil {
			t.Fatal(err)
		}
	}
	audit, err := s.Audit(t.Context(), 10)
	if err != nil || len(audit) != 2 || audit[0].Selection != "first" || audit[0].Messages != 1 || audit[1].Messages != 1 {
		t.Errorf("audit %+v, error %v", audit, err)
	}
}
