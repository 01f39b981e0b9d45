package validatetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// checkFresh: a read sees what was stored before it began, also where there was
// nothing when it was read before.
func checkFresh(t testing.TB, s SideUnderTest) {
	s.Put(t, at(0, 1))
	checkRead(t, s, day(), at(0, 1))
	s.Put(t, at(time.Hour, 2), at(-time.Hour, 3), of("press8", "temperature", 0, 1))
	checkRead(t, s, day(), at(0, 1), at(time.Hour, 2), at(-time.Hour, 3), of("press8", "temperature", 0, 1))
	s.Put(t, of("press7", "pressure", 0, 1))
	q := day()
	q.Device, q.Tag = "press7", "pressure"
	checkRead(t, s, q, of("press7", "pressure", 0, 1))
}

// checkConcurrent: reads do not disturb each other.
func checkConcurrent(t testing.TB, s SideUnderTest) {
	const devices, each = 4, 300
	for d := range devices {
		s.Put(t, several(fmt.Sprintf("device%d", d), each)...)
	}
	before := s.Side.Costs().Readings
	var got [2 * devices]read
	var errs [2 * devices]error
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			q := day()
			if i < devices {
				q.Device = fmt.Sprintf("device%d", i)
			}
			got[i], errs[i] = collect(t.Context(), s.Side, q)
		})
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatalf("concurrent reads: %v", err)
	}
	total := 0
	for i := range got {
		want := devices * each
		if i < devices {
			want = each
		}
		seen := map[string]bool{}
		for _, r := range got[i].records {
			seen[shown(r.Reading)] = true
		}
		if len(got[i].records) != want || len(seen) != want {
			t.Errorf("concurrent read %d: %d readings, %d of them different, want %d", i, len(got[i].records), len(seen), want)
		}
		total += len(got[i].records)
	}
	if counted := s.Side.Costs().Readings - before; counted != int64(total) {
		t.Errorf("%d readings were counted as costs, and %d handed out", counted, total)
	}
}

// checkTakeFails: an error of take ends a read and comes back, and the side is of
// use again.
func checkTakeFails(t testing.TB, s SideUnderTest) {
	rs := several("press7", 100)
	s.Put(t, rs...)
	refused := errors.New("not this page")
	calls := 0
	err := s.Side.Read(t.Context(), day(), func(validate.Page) error {
		calls++
		return refused
	})
	if !errors.Is(err, refused) || calls != 1 {
		t.Errorf("take failed: it was called %d times, and read returned %v", calls, err)
	}
	checkRead(t, s, day(), rs...)
}

// checkCancel: a context that ends ends a read with its error.
func checkCancel(t testing.TB, s SideUnderTest) {
	rs := several("press7", 2000)
	s.Put(t, rs...)
	ctx, cancel := context.WithCancel(t.Context())
	taken := 0
	err := s.Side.Read(ctx, day(), func(p validate.Page) error {
		taken += len(p.Records)
		cancel()
		return nil
	})
	switch {
	case err == nil && taken < len(rs):
		t.Errorf("a read that was cancelled handed out %d of %d readings, and returned no error", taken, len(rs))
	case err != nil && !errors.Is(err, context.Canceled):
		t.Errorf("a read that was cancelled returned %v", err)
	}
	got, err := collect(ctx, s.Side, day())
	if !errors.Is(err, context.Canceled) || len(got.records) > 0 {
		t.Errorf("a read with a context that had ended handed out %d readings, and returned %v", len(got.records), err)
	}
	checkRead(t, s, day(), rs...)
}

// checkUnreadable: what cannot be read is told, and does not keep the rest from
// being handed out.
func checkUnreadable(t testing.TB, s SideUnderTest) {
	if s.PutUnreadable == nil {
		return
	}
	s.Put(t, at(0, 1))
	s.PutUnreadable(t)
	s.Put(t, at(time.Second, 2))
	got, err := collect(t.Context(), s.Side, day())
	if err != nil {
		t.Fatalf("read what cannot be read: %v", err)
	}
	if len(got.unreadable) == 0 {
		t.Error("what cannot be read is not told")
	}
	for _, u := range got.unreadable {
		if u.Err == nil || u.Place.Object == "" {
			t.Errorf("unreadable is %+v", u)
		} else {
			checkSecret(t, s, u.Err.Error())
		}
	}
	compare(t, s, "beside what cannot be read", got.records, []reading.Reading{at(0, 1), at(time.Second, 2)})
}

// checkSettings: a side tells by what its reads are decided, so that what was found
// is not gone on with after that has changed.
func checkSettings(t testing.TB, s SideUnderTest) {
	known := map[string]bool{}
	for _, side := range append([]validate.Side{s.Side}, s.Others...) {
		identity := side.Traits().Identity
		switch {
		case identity == "":
			t.Errorf("%s has no identity", side)
		case known[identity]:
			t.Errorf("two sides with different settings have the identity %s", identity)
		case identity != side.Traits().Identity:
			t.Errorf("%s has another identity each time", side)
		}
		known[identity] = true
		checkSecret(t, s, identity)
	}
}

// checkDown: a place that cannot be reached is an error, not an empty one, and is
// of use once it can be.
func checkDown(t testing.TB, s SideUnderTest) {
	checkSecret(t, s, s.Side.String())
	if s.Down == nil {
		return
	}
	s.Put(t, at(0, 1))
	checkRead(t, s, day(), at(0, 1))
	s.Down(t)
	got, err := collect(t.Context(), s.Side, day())
	switch {
	case err == nil:
		t.Errorf("a place that cannot be reached was read: %d readings", len(got.records))
	case errors.Is(err, context.DeadlineExceeded):
		t.Errorf("a place that cannot be reached was waited for longer than %v", patience)
	default:
		checkSecret(t, s, err.Error())
	}
	s.Up(t)
	checkRead(t, s, day(), at(0, 1))
}

func checkSecret(t testing.TB, s SideUnderTest, text string) {
	t.Helper()
	if s.Secret != "" && strings.Contains(text, s.Secret) {
		t.Errorf("%q shows a secret", text)
	}
}

// checkClose: Close ends reads, or waits for them, and can be called again; after
// it nothing is read.
func checkClose(t testing.TB, s SideUnderTest) {
	rs := several("press7", 1000)
	s.Put(t, rs...)
	closed := make(chan error, 1)
	taken := 0
	begun := false
	err := s.Side.Read(t.Context(), day(), func(p validate.Page) error {
		taken += len(p.Records)
		if !begun {
			begun = true
			go func() { closed <- s.Side.Close() }()
		}
		return nil
	})
	if err == nil && taken < len(rs) {
		t.Errorf("a read during close handed out %d of %d readings, and returned no error", taken, len(rs))
	}
	if !begun {
		t.Fatalf("nothing was handed out: %v", err)
	}
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("close: %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("close has not returned within %v", patience)
	}
	if err := s.Side.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if got, err := collect(t.Context(), s.Side, day()); err == nil {
		t.Errorf("a closed side was read: %d readings", len(got.records))
	}
}
