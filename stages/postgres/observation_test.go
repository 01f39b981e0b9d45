package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

func openObservation(t testing.TB, url string) *Observation {
	t.Helper()
	c := DefaultObservationConfig()
	c.URL = feed.NewURL(url)
	return observationOf(t, c)
}

func observationOf(t testing.TB, c ObservationConfig) *Observation {
	t.Helper()
	c.ConnectTimeout = time.Minute
	o, err := NewObservation(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Errorf("close observation: %v", err)
		}
	})
	return o
}

func TestObservationConforms(t *testing.T) {
	t.Parallel() // it waits most of the time
	validatetest.TestSide(t, func(t *testing.T) validatetest.SideUnderTest {
		db := testenv.PostgreSQL(t)
		proxy := testenv.Proxy(t, db.Addr)
		sink := openSink(t, configOf(db.URL()))
		makeTables(t, &sink.config)
		schema := DefaultObservationConfig()
		schema.URL, schema.Schema = feed.NewURL(db.URLAt(proxy.Addr)), "another"
		return validatetest.SideUnderTest{
			Side: openObservation(t, db.URLAt(proxy.Addr)),
			Others: []validate.Side{
				observationOf(t, schema),
				openObservation(t, "postgres://reader@plant1:5432/telemetry?sslmode=disable"),
				openObservation(t, "postgres://reader@plant1:5432/telemetry?sslmode=disable&host=plant2"),
				openObservation(t, "postgres://reader:s3cret@plant2:5432/telemetry?sslmode=disable"),
			},
			Secret: "s3cret",
			Put:    func(t testing.TB, rs ...reading.Reading) { mustPublish(t, sink, rs...) },
			Down:   func(testing.TB) { proxy.Refuse(); proxy.Cut() },
			Up:     func(testing.TB) { proxy.Accept() },
			Many:   2*fetch + 1,
		}
	})
}

// makeTables makes tables without a reading in them.
func makeTables(t testing.TB, c *Config) {
	t.Helper()
	s, err := connect(t.Context(), c, readWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.prepareSchema(t.Context(), c), s.close()); err != nil {
		t.Fatal(err)
	}
}

// observed is what an observation hands out.
func observed(t testing.TB, o *Observation, q validate.Query) (p validate.Page, err error) {
	t.Helper()
	err = o.Read(t.Context(), q, func(got validate.Page) error {
		p.Records = append(p.Records, got.Records...)
		p.Unreadable = append(p.Unreadable, got.Unreadable...)
		return nil
	})
	return p, err
}

// around is a query for all readings of the tests.
var around = validate.Query{From: noon.Add(-day), To: noon.Add(day)}

// TestObservationIsTheReader: both read the same, over several partitions.
func TestObservationIsTheReader(t *testing.T) {
	s := newSink(t, nil)
	for d := range 5 {
		rs := series50(0, 1000)
		for i := range rs {
			rs[i].Time -= int64(d) * int64(day)
		}
		mustPublish(t, s, rs...)
	}
	url, err := s.config.URL.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	o, r := openObservation(t, url), openReader(t, s.config)
	for _, q := range []Query{
		{From: noon.Add(-10 * day), To: noon.Add(day)},
		{From: noon.Add(-3 * day), To: noon.Add(-2*day + 500*time.Millisecond)},
		{From: noon.Add(-3 * day), To: noon, Device: "device07"},
		{From: noon.Add(-3 * day), To: noon, Device: "device07", Tag: "temperature"},
		{From: noon.Add(-3 * day), To: noon, Tag: "pressure"},
	} {
		want := map[reading.Reading]bool{}
		for _, w := range all(t, r, q) {
			want[w] = true
		}
		got, err := observed(t, o, validate.Query{Device: q.Device, Tag: q.Tag, From: q.From, To: q.To})
		if err != nil || len(got.Records) != len(want) || len(got.Unreadable) > 0 {
			t.Fatalf("%+v: %d readings and %d others, want %d; %v", q, len(got.Records), len(got.Unreadable), len(want), err)
		}
		for _, g := range got.Records {
			if !want[g.Reading] || g.Place.String() != "telemetry.points" {
				t.Fatalf("%+v: %+v is not what the reader reads", q, g)
			}
		}
	}
}

// TestObservationOfDamage: rows that no sink writes are told, and hide no others.
func TestObservationOfDamage(t *testing.T) {
	s := newSink(t, nil)
	mustPublish(t, s, at(noon, 1), at(noon, 2), at(noon, 3), at(noon, 4))
	exec(t, s.config, `UPDATE points SET place = 7777 WHERE seq = 1 - 9223372036854775808; UPDATE points SET float = 1, int = 2 WHERE seq = 2 - 9223372036854775808`)
	url, err := s.config.URL.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := observed(t, openObservation(t, url), around)
	if err != nil || len(got.Records) != 2 || len(got.Unreadable) != 2 {
		t.Fatalf("%d readings and %d others; %v", len(got.Records), len(got.Unreadable), err)
	}
	text := got.Unreadable[0].Err.Error() + got.Unreadable[1].Err.Error()
	if !strings.Contains(text, "place 7777") || !strings.Contains(text, "2 values") {
		t.Errorf("%s", text)
	}
}

// TestObservationOfLargeTexts: a page ends when it is large.
func TestObservationOfLargeTexts(t *testing.T) {
	s := newSink(t, nil)
	var rs []reading.Reading
	for i := range 20 {
		r := at(noon, uint64(i))
		r.Value = reading.OfText(strings.Repeat("x", reading.MaxText-i))
		rs = append(rs, r)
	}
	mustPublish(t, s, rs...)
	url, err := s.config.URL.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	o := openObservation(t, url)
	refused := errors.New("enough")
	seen, pages := map[reading.Reading]bool{}, 0
	if err := o.Read(t.Context(), around, func(p validate.Page) error {
		pages++
		size := 0
		for _, r := range p.Records {
			seen[r.Reading] = true
			size += len(r.Value.Text())
		}
		if size > pageBytes+reading.MaxText {
			t.Errorf("a page of %d bytes", size)
		}
		return nil
	}); err != nil || len(seen) != len(rs) || pages < 4 {
		t.Errorf("%d readings in %d pages, %v", len(seen), pages, err)
	}
	for _, r := range rs {
		if !seen[r] {
			t.Fatalf("number %d is not handed out", r.Seq)
		}
	}
	pages = 0
	if err := o.Read(t.Context(), around, func(validate.Page) error { pages++; return refused }); !errors.Is(err, refused) || pages != 1 {
		t.Errorf("%d pages, %v", pages, err)
	}
	if got, err := observed(t, o, around); err != nil || len(got.Records) != len(rs) {
		t.Errorf("afterwards: %d readings, %v", len(got.Records), err)
	}
}

// TestObservationReconnects: a connection that was lost between two reads is no
// error; one that is lost during a read is.
func TestObservationReconnects(t *testing.T) {
	t.Parallel() // it waits most of the time
	db := testenv.PostgreSQL(t)
	s := openSink(t, configOf(db.URL()))
	mustPublish(t, s, series50(0, 3*fetch)...)
	proxy := testenv.Proxy(t, db.Addr)
	o := openObservation(t, db.URLAt(proxy.Addr))
	for range 2 {
		if got, err := observed(t, o, around); err != nil || len(got.Records) != 3*fetch {
			t.Errorf("%d readings, %v", len(got.Records), err)
		}
		proxy.Cut()
	}
	err := o.Read(t.Context(), around, func(validate.Page) error { proxy.Cut(); return nil })
	if err == nil || !strings.Contains(err.Error(), "telemetry") {
		t.Errorf("a read over a connection that was cut: %v", err)
	}
	if n := len(o.idle); n != 0 {
		t.Errorf("%d connections are kept", n)
	}
}

// TestObservationDoesNotWaitForEver for a server that is silent.
func TestObservationDoesNotWaitForEver(t *testing.T) {
	t.Parallel() // it waits most of the time
	db := testenv.PostgreSQL(t)
	s := openSink(t, configOf(db.URL()))
	mustPublish(t, s, at(noon, 1))
	proxy := testenv.Proxy(t, db.Addr)
	o := openObservation(t, db.URLAt(proxy.Addr))
	if _, err := observed(t, o, around); err != nil {
		t.Fatal(err)
	}
	o.idle[0].timeout = 100*time.Millisecond - grace
	proxy.BlockReplies()
	if _, err := observed(t, o, around); err == nil || !strings.Contains(err.Error(), "not answered within") {
		t.Errorf("%v", err)
	}
}

func TestObservationConfig(t *testing.T) {
	for key, edit := range map[string]func(*ObservationConfig){
		"url":            func(c *ObservationConfig) { c.URL = feed.NewURL("mysql://host/db") },
		"schema":         func(c *ObservationConfig) { c.Schema = "; DROP" },
		"timeout":        func(c *ObservationConfig) { c.Timeout = 0 },
		"connectTimeout": func(c *ObservationConfig) { c.ConnectTimeout = 0 },
	} {
		c := DefaultObservationConfig()
		c.URL = feed.NewURL("postgres://user:canary@host/db")
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		edit(&c)
		_, err := NewObservation(c, feed.StageEnv{})
		var ce *feed.ConfigError
		if !errors.As(err, &ce) || ce.Key != key || ce.Remedy == "" {
			t.Errorf("%s: %v", key, err)
		}
	}
	c := DefaultObservationConfig()
	c.URL = feed.NewURL("postgres://user:canary@host/db")
	o, err := NewObservation(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	if text := o.String(); strings.Contains(text, "canary") || !strings.Contains(text, "host") {
		t.Errorf("%s", text)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

// BenchmarkObservation reads a million readings of 500 series and a day, and an
// hour of them, with the observation and with the reader.
func BenchmarkObservation(b *testing.B) {
	c := configOf(testenv.PostgreSQL(b).URL())
	s := openSink(b, c)
	const n, each = 1_000_000, 10_000
	for first := 0; first < n; first += each {
		rs := make([]reading.Reading, each)
		for i := range rs {
			k := first + i
			rs[i] = reading.Reading{
				Site: "plant1", Line: "line2", Device: fmt.Sprintf("device%02d", k%50), Tag: fmt.Sprintf("tag%d", k%500/50), Quality: "good", Seq: uint64(k),
				Time: noon.Add(-12*time.Hour).UnixNano() + int64(k/500)*int64(day)/(n/500), Value: reading.OfFloat(20 + float64(k%977)/8),
			}
		}
		mustPublish(b, s, rs...)
	}
	url, err := c.URL.Reveal()
	if err != nil {
		b.Fatal(err)
	}
	o, r := openObservation(b, url), openReader(b, c)
	for name, q := range map[string]validate.Query{
		"day":    {From: noon.Add(-day), To: noon.Add(day)},
		"hour":   {From: noon, To: noon.Add(time.Hour)},
		"device": {From: noon, To: noon.Add(time.Hour), Device: "device07"},
	} {
		b.Run(name+"/observation", func(b *testing.B) {
			got := 0
			for b.Loop() {
				if err := o.Read(b.Context(), q, func(p validate.Page) error { got += len(p.Records); return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "readings/s")
		})
		b.Run(name+"/reader", func(b *testing.B) {
			got := 0
			for b.Loop() {
				got += len(all(b, r, Query{Device: q.Device, Tag: q.Tag, From: q.From, To: q.To}))
			}
			b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}
