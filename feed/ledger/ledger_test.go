package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

var testHop = &feed.Hop{Feed: "line-1", Route: "telemetry", Source: "amqp", Sink: "mqtt", From: "amqp://broker/q", To: "mqtt://broker"}

var epoch = time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)

// message is record i: of a reading of one of ten devices.
func message(i int) feed.Ended {
	r := reading.Reading{Device: fmt.Sprint("press", i%10), Tag: []string{"temperature", "speed"}[i%2], Time: epoch.Add(time.Duration(i) * time.Second).UnixNano(), Value: reading.OfInt(int64(i)), Quality: "good", Seq: uint64(i)}
	at := epoch.Add(time.Duration(i) * time.Millisecond)
	return feed.Ended{
		ID: fmt.Sprintf("press%d/%d/%016x/%d", i%10, i/10, i*0x9e3779b9, i), Topic: "kraft/" + r.Device + "/" + r.Tag, Payload: r.AppendJSON(nil), Outcome: feed.Delivered, Done: at.Add(time.Millisecond),
		DeliveryID: fmt.Sprint("batch-", i/100), DeliveryTopic: "telemetry." + r.Device, Tag: uint64(i), Received: at,
	}
}

func messages(from, to int) []feed.Ended {
	var all []feed.Ended
	for i := from; i < to; i++ {
		all = append(all, message(i))
	}
	return all
}

func open(t testing.TB, c Config) *Ledger {
	t.Helper()
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, l) })
	return l
}

func closeIt(t testing.TB, l *Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func find(t testing.TB, dir string, q Query) *Found {
	t.Helper()
	found, err := Find(t.Context(), dir, q, nil)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Path: dir})
	const n = 5000
	l.Record(testHop, messages(0, n))
	other := &feed.Hop{Feed: "line-1", Route: "archive", Source: "amqp", Sink: "blob", Offsets: true}
	placed := message(42)
	placed.Places, placed.Received = []feed.Place{{Object: "2026/x.ndjson", Position: 7}}, placed.Received.Add(time.Hour)
	l.Record(other, []feed.Ended{placed, {ID: "bad", Outcome: feed.Quarantined, Reason: "no rule", Received: epoch, Done: epoch}})
	closeIt(t, l)

	seq := uint64(42)
	for name, tt := range map[string]struct {
		query Query
		want  []int // records; 42 twice is both routes
	}{
		"id of a message":    {Query{IDs: []string{message(42).ID}}, []int{42, 42}},
		"id of a delivery":   {Query{IDs: []string{"batch-3"}, Limit: 3}, []int{397, 398, 399}},
		"several ids":        {Query{IDs: []string{message(1).ID, message(2).ID}}, []int{1, 2}},
		"made":               {Query{Made: []string{"batch-3", message(7).ID}}, []int{7}},
		"device and seq":     {Query{Device: "press2", Seq: &seq}, []int{42, 42}},
		"another device":     {Query{Device: "press3", Seq: &seq}, nil},
		"tag and time":       {Query{Tag: "speed", Time: epoch.Add(43 * time.Second)}, []int{43}},
		"another tag":        {Query{Tag: "temperature", Time: epoch.Add(43 * time.Second)}, nil},
		"the newest":         {Query{Device: "press9", Since: epoch, Limit: 2}, []int{4989, 4999}},
		"none since then":    {Query{Device: "press9", Since: epoch.Add(time.Hour)}, nil},
		"one since then":     {Query{Device: "press2", Since: epoch.Add(43*time.Millisecond - 1), Seq: &seq}, []int{42, 42}},
		"none of that id":    {Query{IDs: []string{"batch-"}}, nil},
		"an id and a device": {Query{IDs: []string{"batch-3"}, Device: "press1", Limit: 1}, []int{391}},
	} {
		var got []int
		for _, e := range find(t, dir, tt.query).Entries {
			got = append(got, int(e.DeliveryTag))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: found %v, want %v", name, got, tt.want)
		}
	}
	found := find(t, dir, Query{Device: "press2", Seq: &seq})
	if found.Records != n+2 || found.Matched != 2 || found.Unreadable != 0 {
		t.Errorf("%+v", found)
	}
	if got, want := found.Entries[0].Cause(), "delivered by telemetry to mqtt mqtt://broker kraft/press2/temperature at 2026-11-22T01:00:00Z"; got != want {
		t.Errorf("cause %q, want %q", got, want)
	}
	if got, want := found.Entries[1].Target(), "blob 2026/x.ndjson:7"; got != want {
		t.Errorf("target %q, want %q", got, want)
	}
	if got, want := found.Entries[1].Origin(), "amqp telemetry.press2 offset 41"; got != want {
		t.Errorf("origin %q, want %q", got, want)
	}
	bad := find(t, dir, Query{IDs: []string{"bad"}}).Entries
	if len(bad) != 1 || bad[0].Cause() != "quarantined by archive: no rule" {
		t.Errorf("%+v", bad)
	}

	wanted := []Identity{*found.Entries[0].Reading, {"press3", "speed", epoch.Add(3 * time.Second).UnixNano(), 3}, {"press3", "speed", 0, 3}}
	got, err := Lookup(t.Context(), dir, wanted, nil)
	if err != nil || len(got) != 2 || len(got[wanted[0]]) != 2 || len(got[wanted[1]]) != 1 {
		t.Errorf("looked up %v, %v", got, err)
	}
}

// TestLookup returns the last that each route has done with a reading, whatever it did
// before, and takes for the same what is said to be.
func TestLookup(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Path: dir})
	at := messages(7, 8)[0]
	returned := make([]feed.Ended, 5000)
	for i := range returned {
		returned[i] = at
		returned[i].Outcome, returned[i].Done = feed.Returned, at.Done.Add(-time.Duration(i+1)*time.Second)
	}
	other := *testHop
	other.Route = "other"
	refused := at
	refused.Outcome, refused.Reason = feed.Quarantined, "no rule"
	l.Record(testHop, returned)
	l.Record(testHop, []feed.Ended{at})
	l.Record(&other, append([]feed.Ended{refused}, returned...))
	closeIt(t, l)
	id := *find(t, dir, Query{Limit: 1}).Entries[0].Reading
	coarse := func(id Identity) Identity {
		id.Seq, id.Time = 0, id.Time/1e9
		return id
	}
	asked := id
	asked.Seq, asked.Time = 0, id.Time/1e9*1e9
	for name, known := range map[string]func(Identity) Identity{"exactly": nil, "coarsely": coarse} {
		want, q := id, id
		if known != nil {
			want, q = known(id), asked
		}
		got, err := Lookup(t.Context(), dir, []Identity{q}, known)
		of := got[want]
		if err != nil || len(got) != 1 || len(of) != 2 {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		outcomes := map[string]string{of[0].Route: of[0].Outcome, of[1].Route: of[1].Outcome}
		if outcomes[testHop.Route] != "delivered" || outcomes["other"] != "quarantined" {
			t.Errorf("%s: %v", name, outcomes)
		}
	}
}

// TestBound writes several times what a ledger may hold, in two lives.
func TestBound(t *testing.T) {
	dir := t.TempDir()
	written := 0
	for range 2 {
		l := open(t, Config{Path: dir, MaxBytes: feed.MiB})
		for range 40 {
			l.Record(testHop, messages(written, written+3000))
			written += 3000
		}
		closeIt(t, l)
		f := l.Figures()
		if f.Bytes > int64(feed.MiB) || f.Bytes < int64(feed.MiB)/2 || f.Lost > 0 {
			t.Errorf("%+v", f)
		}
		all, err := segmentsOf(dir)
		if err != nil {
			t.Fatal(err)
		}
		held := int64(0)
		for _, s := range all {
			held += s.bytes
		}
		if held != f.Bytes || int64(len(all)) != f.Segments {
			t.Errorf("%d segments of %d bytes, the figures are %+v", len(all), held, f)
		}
		found := find(t, dir, Query{})
		first, last := found.Entries[0].DeliveryTag, found.Entries[len(found.Entries)-1].DeliveryTag
		if last != uint64(written-1) || first == 0 || int(last-first)+1 != len(found.Entries) {
			t.Errorf("records %d to %d of %d, %d in all: want the newest, without a hole", first, last, written, len(found.Entries))
		}
	}
}

func TestOneProcessWrites(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Path: dir})
	if _, err := Open(Config{Path: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second one: %v, want ErrInUse", err)
	}
	closeIt(t, l)
	l.Record(testHop, messages(0, 3))
	if f := l.Figures(); f.Lost != 3 {
		t.Errorf("after the end %+v", f)
	}
	open(t, Config{Path: dir})
	for _, c := range []Config{{}, {Path: dir, MaxBytes: 1}} {
		if _, err := Open(c); !errors.As(err, new(*feed.ConfigError)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := Find(t.Context(), dir+"/none", Query{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a ledger that is not there: %v", err)
	}
}

// TestFlush: a record that stays alone is there after a second.
func TestFlush(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, Config{Path: dir})
		for i := range 3 {
			l.Record(testHop, messages(i, i+1))
			time.Sleep(flushAfter - 1) // of fake time
			synctest.Wait()
			if n := find(t, dir, Query{}).Records; n != int64(i) {
				t.Errorf("%d records before the second has passed, want %d", n, i)
			}
			time.Sleep(time.Nanosecond) // of fake time
			synctest.Wait()
			if n := find(t, dir, Query{}).Records; n != int64(i+1) {
				t.Errorf("%d records after a second, want %d", n, i+1)
			}
		}
		closeIt(t, l)
	})
}

// disk is a file that fails, or does not answer, on command.
type disk struct {
	file
	full    func() error
	answers chan struct{}
	cut     error
}

func (d *disk) Write(p []byte) (int, error) {
	if d.answers != nil {
		<-d.answers
	}
	if err := d.full(); err != nil {
		n, writeErr := d.file.Write(p[:len(p)/2])
		return n, errors.Join(err, writeErr)
	}
	return d.file.Write(p)
}

func (d *disk) Truncate(size int64) error { return errors.Join(d.cut, d.file.Truncate(size)) }

// onDisk opens a ledger whose segments are made by a function.
func onDisk(t *testing.T, dir string, log *slog.Logger, create func(string) (file, error)) *Ledger {
	t.Helper()
	c := Config{Path: dir, MaxBytes: 64 * feed.MiB, Logger: log}
	a, err := newAppender(&c)
	if err != nil {
		t.Fatal(err)
	}
	a.create = create
	return start(&c, a, nothing{})
}

type nothing struct{}

func (nothing) Close() error { return nil }

// TestDiskFails: while it does, records are lost, all of them counted, and it is
// logged once; then the ledger goes on, and is whole.
func TestDiskFails(t *testing.T) {
	for name, tt := range map[string]struct {
		cut  error // also when a block that was written in part is to be cut off
		make bool  // also when a segment is to be made
	}{
		"writing":             {},
		"cutting off":         {cut: errors.New("input/output error")},
		"making of a segment": {make: true, cut: errors.New("input/output error")},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				var full error
				l := onDisk(t, dir, slog.New(slog.NewTextHandler(&log, nil)), func(path string) (file, error) {
					if full != nil && tt.make {
						return nil, full
					}
					f, err := createFile(path)
					return &disk{file: f, cut: tt.cut, full: func() error { return full }}, err
				})
				put := func(from, to int) {
					l.Record(testHop, messages(from, to))
					l.flush(l.routes[testHop])
					synctest.Wait()
				}
				put(0, 10)
				full = syscall.ENOSPC
				put(10, 20)
				put(20, 30)
				full = nil
				put(30, 40)
				closeIt(t, l)
				if f := l.Figures(); f.Records != 40 || f.Lost != 20 {
					t.Errorf("%+v", f)
				}
				var got []uint64
				for _, e := range find(t, dir, Query{}).Entries {
					got = append(got, e.DeliveryTag)
				}
				if len(got) != 20 || got[0] != 0 || got[9] != 9 || got[10] != 30 {
					t.Errorf("found %v", got)
				}
				for _, says := range []string{"cannot be written", "written again"} {
					if n := strings.Count(log.String(), says); n != 1 {
						t.Errorf("said %d times that it %s:\n%s", n, says, log.String())
					}
				}
			})
		})
	}
}

// TestDiskDoesNotAnswer: routes wait a second in all, and not one each time; what is
// lost meanwhile is counted, and what waited is written when the disk answers.
func TestDiskDoesNotAnswer(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan struct{})
		var log bytes.Buffer
		l := onDisk(t, dir, slog.New(slog.NewTextHandler(&log, nil)), func(path string) (file, error) {
			f, err := createFile(path)
			return &disk{file: f, answers: answers, full: func() error { return nil }}, err
		})
		began, n := time.Now(), 0
		for range 3 * waiting {
			l.Record(testHop, messages(n, n+3000)) // a block, or nearly so
			n += 3000
		}
		if took := time.Since(began); took != patience {
			t.Errorf("a route waited for %v, want %v", took, patience)
		}
		lost := l.Figures().Lost
		if lost == 0 || lost > uint64(n) {
			t.Errorf("%d of %d lost", lost, n)
		}
		if !strings.Contains(log.String(), "does not keep up") {
			t.Errorf("it does not say that it does not keep up:\n%s", log.String())
		}
		close(answers)
		synctest.Wait()
		l.Record(testHop, messages(n, n+10))
		n += 10
		closeIt(t, l)
		if f := l.Figures(); f.Lost != lost || f.Records != uint64(n) {
			t.Errorf("%+v, %d were lost before the disk answered", f, lost)
		}
		if found := find(t, dir, Query{}); found.Records != int64(n)-int64(lost) {
			t.Errorf("%d records are there, %d recorded, %d lost", found.Records, n, lost)
		}
	})
}

// TestDamage cuts and changes bytes: the blocks beside them are read.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Path: dir})
	l.Record(testHop, messages(0, 20_000))
	closeIt(t, l)
	path := segmentPath(dir, 1)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := bytes.Count(data, []byte(frameMagic))
	if blocks < 5 {
		t.Fatalf("%d blocks show little", blocks)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data[:len(data)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	found := find(t, dir, Query{})
	if least := int64(20_000 - 20_000*3/blocks); found.Records < least || found.Records == 20_000 || found.Unreadable < 20 {
		t.Errorf("%d records of %d blocks, and %d bytes unreadable", found.Records, blocks, found.Unreadable)
	}
	again := open(t, Config{Path: dir})
	again.Record(testHop, messages(20_000, 20_010))
	closeIt(t, again)
	if n := find(t, dir, Query{IDs: []string{message(20_005).ID}}).Matched; n != 1 {
		t.Errorf("found %d times what was recorded after the damage", n)
	}
}

// TestFullDisk fills a real one.
func TestFullDisk(t *testing.T) {
	disk := testenv.NewTinyDisk(t, 1<<20)
	l := open(t, Config{Path: disk.Dir + "/ledger", MaxBytes: 64 * feed.MiB})
	n := 0
	for l.Figures().Lost == 0 {
		l.Record(testHop, messages(n, n+3000))
		n += 3000
	}
	closeIt(t, l)
	if found := find(t, disk.Dir+"/ledger", Query{}); found.Records != int64(n)-int64(l.Figures().Lost) || found.Records < 10_000 {
		t.Errorf("%d records are there, %d recorded, %+v", found.Records, n, l.Figures())
	}
	disk.Fill(0)
	l = open(t, Config{Path: disk.Dir + "/ledger", MaxBytes: 64 * feed.MiB}) // nor does it keep a feed from its start
	l.Record(testHop, messages(0, 10))
	closeIt(t, l)
	if f := l.Figures(); f.Lost != 10 {
		t.Errorf("%+v", f)
	}
	disk.Free()
	l = open(t, Config{Path: disk.Dir + "/ledger", MaxBytes: 64 * feed.MiB})
	l.Record(testHop, messages(0, 10))
	closeIt(t, l)
	if f := l.Figures(); f.Lost != 10 && f.Lost != 0 {
		t.Errorf("%+v", f)
	}
}

// TestReadersAndWriters run at the same time.
func TestReadersAndWriters(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Path: dir, MaxBytes: feed.MiB})
	var routes sync.WaitGroup
	for i := range 3 {
		hop := *testHop
		hop.Route = fmt.Sprint("route-", i)
		routes.Go(func() {
			for n := range 40 {
				l.Record(&hop, messages(n*1000, (n+1)*1000))
			}
		})
	}
	for range 20 {
		if _, err := Find(t.Context(), dir, Query{Device: "press3", Limit: 10}, func(Progress) {}); err != nil {
			t.Error(err)
		}
	}
	routes.Wait()
	closeIt(t, l)
	if f := l.Figures(); f.Records != 120_000 || f.Lost != 0 {
		t.Errorf("%+v", f)
	}
}
