package quarantine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// aged returns an item that was quarantined that long ago.
func aged(reason string, age time.Duration) feed.QuarantineItem {
	it := itemOf(reason, 100)
	it.Time = time.Now().Add(-age).Truncate(time.Second) // all texts of equal length
	return it
}

func put(t testing.TB, s *Store, items ...feed.QuarantineItem) {
	t.Helper()
	if err := s.Put(t.Context(), items); err != nil {
		t.Fatal(err)
	}
}

func TestRetentionByAge(t *testing.T) { onBoth(t, testRetentionByAge) }

func testRetentionByAge(t *testing.T, open opener) {
	var log bytes.Buffer
	s := open(t, func(c *Config) {
		c.Retention.MaxAge = time.Hour
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	put(t, s, aged("old", 2*time.Hour), aged("young", 30*time.Minute))
	checkTotals(t, s, 2) // what comes is taken, however old
	put(t, s, aged("now", 0))
	if got := chosen(t, s.Reader, Query{}); got != "2 3" {
		t.Errorf("items %s, want 2 3", got)
	}
	checkTotals(t, s, 2)
	if !strings.Contains(log.String(), "retention removed messages") || !strings.Contains(log.String(), "messages=1") {
		t.Errorf("log:\n%s", log.String())
	}
	put(t, s, aged("old", 2*time.Hour))
	if err := s.expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkTotals(t, s, 2)
	if aged, displaced := s.Removed(); aged != 2 || displaced != 0 {
		t.Errorf("%d aged, %d displaced, want 2 and 0", aged, displaced)
	}
	audit, err := s.Audit(t.Context(), 10)
	if err != nil || len(audit) != 1 || audit[0].Action != ActionExpire || audit[0].Messages != 2 || audit[0].Selection != "older than 1h0m0s" {
		t.Errorf("audit %+v, error %v: the removals of a day belong into one entry", audit, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "messages=1"); n != 2 {
		t.Errorf("%d lines of one message each, want 2: the second comes when the store closes\n%s", n, log.String())
	}
}

// TestRetentionAtOpen checks that a feed that starts removes what became too
// old while it did not run.
func TestRetentionAtOpen(t *testing.T) { onBoth(t, testRetentionAtOpen) }

func testRetentionAtOpen(t *testing.T, open opener) {
	s := open(t, nil)
	put(t, s, aged("old", 2*time.Hour), aged("young", 0))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := s.config
	c.Retention.MaxAge = time.Hour
	checkTotals(t, reopen(t, c), 1)
}

func TestRetentionBySize(t *testing.T) { onBoth(t, testRetentionBySize) }

func testRetentionBySize(t *testing.T, open opener) {
	it := aged("x", 0)
	one := feed.Size(rowBytes(toMessage(testFeed, &it)))
	s := open(t, func(c *Config) { c.MaxBytes, c.Retention.MaxBytes = 10*one, 5*one })
	for range 20 {
		put(t, s, aged("x", 0))
	}
	if got := chosen(t, s.Reader, Query{}); got != "16 17 18 19 20" {
		t.Errorf("items %s, want the last five", got)
	}
	checkTotals(t, s, 5)
	// More than retention keeps, but not more than fits: all of it stays.
	seven := make([]feed.QuarantineItem, 7)
	for i := range seven {
		seven[i] = aged("x", 0)
	}
	put(t, s, seven...)
	checkTotals(t, s, 7)
	if err := s.Put(t.Context(), slices.Concat(seven, seven)); !errors.Is(err, ErrFull) {
		t.Errorf("put of more than fits: %v", err)
	}
	checkTotals(t, s, 7) // a refusal removes nothing
	if err := s.Probe(t.Context()); !errors.Is(err, ErrFull) {
		t.Errorf("probe: %v", err)
	}
	if aged, displaced := s.Removed(); aged != 0 || displaced != 20 {
		t.Errorf("%d aged, %d displaced, want 0 and 20", aged, displaced)
	}
	audit, err := s.Audit(t.Context(), 10)
	if err != nil || len(audit) != 1 || audit[0].Messages != 20 || !strings.HasPrefix(audit[0].Selection, "oldest beyond ") {
		t.Errorf("audit %+v, error %v", audit, err)
	}
}

// TestRetentionMakesRoom checks that a quarantine full of old messages takes new
// ones: its probe succeeds.
func TestRetentionMakesRoom(t *testing.T) {
	s := open(t, func(c *Config) { c.MaxMessages, c.Retention.MaxAge = 2, time.Hour })
	put(t, s, aged("old", 2*time.Hour), aged("old", 2*time.Hour))
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	put(t, s, aged("new", 0), aged("new", 0))
	if err := s.Put(t.Context(), []feed.QuarantineItem{aged("new", 0)}); !errors.Is(err, ErrFull) {
		t.Errorf("put: %v", err)
	}
}

// TestExpireRegularly lets the store's own clock find what is too old.
func TestExpireRegularly(t *testing.T) {
	s := open(t, func(c *Config) { c.Retention.MaxAge = time.Hour })
	put(t, s, aged("old", 2*time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	tick := make(chan time.Time)
	go func() {
		defer close(ended)
		s.expireOn(ctx, tick)
	}()
	tick <- time.Now()
	tick <- time.Now() // taken when the first was dealt with
	checkTotals(t, s, 0)
	cancel()
	<-ended
	for _, tt := range []struct{ age, want time.Duration }{{time.Minute, time.Minute}, {5 * time.Hour, 30 * time.Minute}, {1000 * time.Hour, time.Hour}} {
		if got := expireInterval(tt.age); got != tt.want {
			t.Errorf("age %v is looked at every %v, want %v", tt.age, got, tt.want)
		}
	}
}

func TestRetentionIsValidated(t *testing.T) {
	c := configOf("q.db")
	c.Retention = Retention{MaxAge: time.Second, MaxBytes: 2 * feed.GiB}
	err := c.Validate()
	for _, key := range []string{"retention.maxAge: 1s is too short", "retention.maxBytes: 2GiB is beyond maxBytes"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%q is not reported in %v", key, err)
		}
	}
}

// TestRetentionByCount checks that the oldest make room also when there are as
// many messages as may be, however small.
func TestRetentionByCount(t *testing.T) { onBoth(t, testRetentionByCount) }

func testRetentionByCount(t *testing.T, open opener) {
	s := open(t, func(c *Config) { c.MaxMessages, c.Retention.MaxBytes = 5, c.MaxBytes })
	for range 8 {
		put(t, s, aged("x", 0))
	}
	put(t, s, aged("x", 0), aged("x", 0))
	if got := chosen(t, s.Reader, Query{}); got != "6 7 8 9 10" {
		t.Errorf("items %s, want the last five", got)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	checkTotals(t, s, 4) // the probe makes room, as a put would
	six := make([]feed.QuarantineItem, 6)
	if err := s.Put(t.Context(), six); !errors.Is(err, ErrFull) {
		t.Errorf("put of more than may ever be: %v", err)
	}
	checkTotals(t, s, 4)
	if _, displaced := s.Removed(); displaced != 6 {
		t.Errorf("%d displaced, want 6", displaced)
	}
}

// refuseAt makes a file refuse a change of the item of an id.
func refuseAt(t *testing.T, s *Store, change string, id int64) {
	t.Helper()
	if _, err := s.conn.db.Exec(fmt.Sprintf(`CREATE TRIGGER refuse BEFORE %s ON quarantine WHEN old.id = %d BEGIN SELECT RAISE(ABORT, 'as told'); END`, change, id)); err != nil {
		t.Fatal(err)
	}
}

// TestRetentionInPages checks that what is removed before a failure stays
// removed: a transaction has a page at most.
func TestRetentionInPages(t *testing.T) {
	old := make([]feed.QuarantineItem, 2*pageIDs+10)
	for i := range old {
		old[i] = aged("old", 2*time.Hour)
	}
	for name, retention := range map[string]Retention{"age": {MaxAge: time.Hour}, "size": {MaxBytes: 1}} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			put(t, s, old...)
			s.config.Retention = retention
			refuseAt(t, s, "DELETE", pageIDs+5)
			if err := s.expire(t.Context()); err == nil || !strings.Contains(err.Error(), "as told") {
				t.Errorf("expire: %v", err)
			}
			checkTotals(t, s, pageIDs+10)
			if err := s.Put(t.Context(), old[:1]); err == nil || !strings.Contains(err.Error(), "as told") {
				t.Errorf("put: %v", err)
			}
			checkTotals(t, s, pageIDs+10)
			if _, err := s.conn.db.Exec(`DROP TRIGGER refuse`); err != nil {
				t.Fatal(err)
			}
			put(t, s, aged("new", 0))
			checkTotals(t, s, 1)
			aged, displaced := s.Removed()
			audit, err := s.Audit(t.Context(), 10)
			if aged+displaced != 2*pageIDs+10 || err != nil || len(audit) != 1 || audit[0].Messages != 2*pageIDs+10 {
				t.Errorf("%d aged, %d displaced, audit %+v, error %v", aged, displaced, audit, err)
			}
		})
	}
}
