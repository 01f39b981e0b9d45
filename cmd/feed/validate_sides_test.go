package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	watermill "github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/stages/blob"
	cloud "github.com/kraft-edge/datafeed/stages/cloudapi"
	"github.com/kraft-edge/datafeed/stages/postgres"
)

// TestSameVerdictsEverywhere: with the same lies in Azure as NDJSON, in Azure as
// Parquet and in PostgreSQL, validations against the stand-in for the cloud API find
// the same: each lie, as what it is, and nothing else. Copies are the exception, which
// PostgreSQL cannot hold.
func TestSameVerdictsEverywhere(t *testing.T) {
	ndjson, parquet, db := testenv.Azurite(t), testenv.Azurite(t), testenv.PostgreSQL(t)
	t.Setenv("NDJSON", ndjson.ConnectionString())
	t.Setenv("PARQUET", parquet.ConnectionString())
	dir := t.TempDir()
	api, err := cloudapi.Start(cloudapi.Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	}()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	end := start.Add(3 * time.Hour)
	runs(t, exitOK, "simulate", "--api", api.URL(), "--client-id", "device", "--client-secret-file", cloudapi.SecretPath(api.Path(), "device"),
		"--devices", "5", "--rate", "0", "--period", "1m", "--batch-every", "5m", "--count", "10000", "--start", start.Format(time.RFC3339))
	lies := plantLies(t, told(t, api, validate.Query{From: start, To: end.Add(time.Hour)}), start, end)
	publish(t, lies.told, blobSink(t, ndjson, blob.FormatNDJSON), blobSink(t, parquet, blob.FormatParquet), databaseSink(t, db))

	var want []finding
	for _, side := range []struct {
		name, observe string
		copies        bool
	}{
		{"NDJSON", `blob: {connectionString: "${NDJSON}", container: ` + ndjson.ContainerName + `, path: "{date}/{hour}/{hash}"}`, true},
		{"Parquet", `blob: {connectionString: "${PARQUET}", container: ` + parquet.ContainerName + `, path: "{date}/{hour}/{hash}"}`, true},
		{"PostgreSQL", `postgres: {url: "` + db.URL() + `"}`, false},
	} {
		file, list := filepath.Join(dir, side.name+".yaml"), filepath.Join(dir, side.name+".ndjson")
		if err := os.WriteFile(file, fmt.Appendf(nil, `
log: {level: error}
validate:
  expect: {cloudapi: {url: "%s", oauth2: {clientId: validator, clientSecret: "${file:%s}"}}}
  observe: {%s}
  window: 10m
  lateness: 0s
  rules: {tolerance: {absolute: %v}}
`, api.URL(), cloudapi.SecretPath(api.Path(), "validator"), side.observe, tolerated), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := runs(t, exitFailure, "validate", file, "--from", start.Format(time.RFC3339), "--to", end.Format(time.RFC3339), "--list", list, "--json")
		var r validate.Result
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		all := findings(t, list)
		copies := all.of(validate.Duplicate)
		if want := lies.of(validate.Duplicate); side.copies && !slices.Equal(copies, want) || !side.copies && len(copies) > 0 {
			t.Errorf("%s: copies found are %v, planted %v", side.name, copies, want)
		}
		for _, v := range []validate.Verdict{validate.Missing, validate.Altered, validate.Extra} {
			if found, planted := all.of(v), lies.of(v); !slices.Equal(found, planted) {
				t.Errorf("%s: %s: found %d, planted %d:\n%v\n%v", side.name, v, len(found), len(planted), found, planted)
			}
		}
		var found []finding
		for _, f := range all {
			if f.verdict != validate.Duplicate && f.verdict != validate.Late {
				found = append(found, f)
			}
		}
		if want == nil {
			want = found
		}
		if !slices.Equal(found, want) {
			t.Errorf("%s has found other than NDJSON:\n%v\n%v", side.name, found, want)
		}
		if c := r.Counts; c.Missing == 0 || c.Altered == 0 || c.Undecided > 0 || c.Expected != c.Matched+c.Altered+c.Missing {
			t.Errorf("%s: %+v", side.name, c)
		}
	}
}

// tolerated is by how much a value may differ.
const tolerated = 0.25

// finding is what a validation says of a reading, wherever it was read.
type finding struct {
	verdict            validate.Verdict
	device, tag, time  string
	seq                uint64
	fields             string
	expected, observed string
}

// key is the reading, and what is said of it.
func (f finding) key() string {
	return fmt.Sprintf("%s %s %s %d", f.verdict, f.device, f.tag, f.seq)
}

type foundList []finding

// of returns the keys of the readings of a verdict, in order.
func (l foundList) of(v validate.Verdict) (keys []string) {
	for _, f := range l {
		if f.verdict == v {
			keys = append(keys, f.key())
		}
	}
	slices.Sort(keys)
	return keys
}

// findings reads a list of discrepancies, in an order that does not depend on the
// places.
func findings(t *testing.T, list string) (all foundList) {
	t.Helper()
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	said := func(s *validate.Said) string {
		if s == nil {
			return ""
		}
		return fmt.Sprintf("%s %s %s %s %s", s.Site, s.Line, s.Time.UTC().Format(time.RFC3339Nano), s.Text, s.Quality)
	}
	for line := range strings.Lines(string(text)) {
		var d validate.Discrepancy
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, finding{
			d.Verdict, d.Device, d.Tag, d.Time.UTC().Format(time.RFC3339Nano), d.Seq, strings.Join(d.Fields, ","), said(d.Expected), said(d.Observed),
		})
	}
	slices.SortFunc(all, func(a, b finding) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

// planted is what is stored in the place of a truth, and what of it is wrong.
type planted struct {
	told  []reading.Reading
	wrong map[validate.Verdict][]string // keys of findings
}

func (p *planted) of(v validate.Verdict) []string { return slices.Sorted(slices.Values(p.wrong[v])) }

func (p *planted) note(v validate.Verdict, r *reading.Reading) {
	p.wrong[v] = append(p.wrong[v], finding{verdict: v, device: r.Device, tag: r.Tag, seq: r.Seq}.key())
}

// plantLies returns what is stored of a truth of three hours and what comes after.
// Of its devices the last one is lost as a whole, another one's tail, and the second
// hour of all. Of the others readings are lost, altered, copied, delayed and made up.
func plantLies(t *testing.T, truth []reading.Reading, start, end time.Time) *planted {
	t.Helper()
	p := &planted{wrong: map[validate.Verdict][]string{}}
	rnd := rand.New(rand.NewPCG(7, 1))
	names := map[string]bool{}
	for i := range truth {
		names[truth[i].Device] = true
	}
	devices := slices.Sorted(maps.Keys(names))
	if len(devices) != 5 {
		t.Fatalf("devices %v", devices)
	}
	lost, cut := devices[4], devices[3]
	tail := end.Add(-17 * time.Minute).UnixNano()
	hour := func(r *reading.Reading) int { return int(time.Duration(r.Time-start.UnixNano()) / time.Hour) }
	var rest []*reading.Reading // that no lie is about yet, but for the hours after the end
	for i := range truth {
		r := &truth[i]
		switch {
		case r.Device == lost, r.Device == cut && r.Time >= tail, hour(r) == 1:
			if r.Time < end.UnixNano() {
				p.note(validate.Missing, r)
			}
		case r.Time >= end.UnixNano():
			p.told = append(p.told, *r)
		default:
			rest = append(rest, r)
		}
	}
	rnd.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	// take takes the next one for which ok holds.
	take := func(ok func(*reading.Reading) bool) *reading.Reading {
		i := slices.IndexFunc(rest, ok)
		if i < 0 {
			t.Fatal("the truth has no reading to lie about so")
		}
		r := rest[i]
		rest = slices.Delete(rest, i, i+1)
		return r
	}
	anyOne := func(*reading.Reading) bool { return true }
	// exactly says that a float and one that differs by the tolerance are that far apart.
	exactly := func(r *reading.Reading) bool {
		f := r.Value.Float()
		return r.Value.Kind() == reading.Float && f > 1 && (f+tolerated)-f == tolerated && math.Nextafter(f+tolerated, math.Inf(1))-f > tolerated
	}
	var delayed []reading.Reading
	for range 6 {
		p.note(validate.Missing, take(anyOne)) // dropped

		beyond := *take(exactly)
		beyond.Value = reading.OfFloat(math.Nextafter(beyond.Value.Float()+tolerated, math.Inf(1)))
		p.note(validate.Altered, &beyond)
		within := *take(exactly)
		within.Value = reading.OfFloat(within.Value.Float() + tolerated)
		p.told = append(p.told, beyond, within)

		copied := *take(anyOne)
		p.note(validate.Duplicate, &copied)
		p.told = append(p.told, copied)
		delayed = append(delayed, copied, *take(anyOne))

		a := *take(anyOne)
		b := *take(func(r *reading.Reading) bool { return r.Device == a.Device && r.Tag == a.Tag && hour(r) == hour(&a) })
		a.Time, b.Time = b.Time, a.Time
		p.note(validate.Altered, &a)
		p.note(validate.Altered, &b)
		p.told = append(p.told, a, b)

		made := *take(anyOne)
		p.told = append(p.told, made)
		made.Seq += 1 << 40
		p.note(validate.Extra, &made)
		p.told = append(p.told, made)
	}
	for _, r := range rest {
		p.told = append(p.told, *r)
	}
	rnd.Shuffle(len(p.told), func(i, j int) { p.told[i], p.told[j] = p.told[j], p.told[i] })
	p.told = append(p.told, delayed...)
	return p
}

// told returns what the API tells.
func told(t *testing.T, api *cloudapi.Server, q validate.Query) (all []reading.Reading) {
	t.Helper()
	c := cloud.DefaultConfig()
	c.URL = feed.NewURL(api.URL())
	c.OAuth2.ClientID, c.OAuth2.ClientSecret = "validator", feed.SecretFile(cloudapi.SecretPath(api.Path(), "validator"))
	e, err := cloud.NewExpectation(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := e.Read(t.Context(), q, func(p validate.Page) error {
		for i := range p.Records {
			r := p.Records[i].Reading
			r.Site, r.Line, r.Device, r.Tag, r.Quality = strings.Clone(r.Site), strings.Clone(r.Line), strings.Clone(r.Device), strings.Clone(r.Tag), strings.Clone(r.Quality)
			all = append(all, r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func blobSink(t *testing.T, c *testenv.Container, f blob.Format) feed.BatchPublisher {
	t.Helper()
	cfg := blob.DefaultConfig()
	cfg.ConnectionString, cfg.Container = feed.NewSecret(c.ConnectionString()), c.ContainerName
	cfg.Path, cfg.Format = "{date}/{hour}/{hash}", f
	s, err := blob.NewSink(cfg, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func databaseSink(t *testing.T, db *testenv.Database) feed.BatchPublisher {
	t.Helper()
	c := postgres.DefaultConfig()
	c.URL = feed.NewURL(db.URL())
	s, err := postgres.NewSink(c, feed.StageEnv{Feed: "edge"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// publish hands readings to sinks, in batches.
func publish(t *testing.T, rs []reading.Reading, sinks ...feed.BatchPublisher) {
	t.Helper()
	for part := range slices.Chunk(rs, 2000) {
		for _, s := range sinks {
			b := &feed.Batch{}
			for i := range part {
				m := watermill.NewMessage("", part[i].AppendJSON(nil))
				m.Metadata.Set(feed.MetaTime, time.Unix(0, part[i].Time).UTC().Format(time.RFC3339Nano))
				b.Messages = append(b.Messages, m)
			}
			if err := s.PublishBatch(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
}
