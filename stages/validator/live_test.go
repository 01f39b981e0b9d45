package validator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	standin "github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/stages/cloudapi"
)

// vendor is the stand-in for a vendor's cloud, and the devices that deliver to it.
type vendor struct {
	*standin.Server
	client   http.Client
	token    string
	sequence int
}

func startVendor(t testing.TB, now func() time.Time, f standin.Faults) *vendor {
	t.Helper()
	client := standin.Client{ID: "plant", Secret: feed.NewSecret("plant's secret"), Scopes: []standin.Scope{standin.ScopeRead, standin.ScopeWrite}}
	server, err := standin.Start(standin.Options{Data: t.TempDir(), Clients: []standin.Client{client}, Faults: &f, Logger: quiet, Now: now, TokenLifetime: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	v := &vendor{Server: server, client: http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"plant"}, "client_secret": {"plant's secret"}}
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(v.post(t, "/oauth2/token", "application/x-www-form-urlencoded", []byte(form.Encode())), &token); err != nil {
		t.Fatal(err)
	}
	v.token = token.Access
	return v
}

func (v *vendor) post(t testing.TB, path, contentType string, body []byte) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.URL()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	if v.token != "" {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	resp, err := v.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s: %s %s, %v", path, resp.Status, answer, err)
	}
	return answer
}

// deliver delivers the next batch of press7.
func (v *vendor) deliver(t testing.TB, rs []reading.Reading) {
	t.Helper()
	v.sequence++
	var body []byte
	for i := range rs {
		body = append(rs[i].AppendJSON(body), '\n')
	}
	v.post(t, fmt.Sprintf("/v1/batches?device=press7&sequence=%d", v.sequence), "application/x-ndjson", body)
}

// TestLive: while devices deliver to the cloud and to the feed, what the cloud tells
// otherwise than it was, and what the feed has lost, changed, repeated and made up, is
// found to the reading; what comes late after all is found to be there.
func TestLive(t *testing.T) {
	at := &clock{at: noon}
	v := startVendor(t, at.now, standin.Faults{Seed: 3, OneIn: 50, Drop: 4, Alter: 3, Duplicate: 2})
	c := DefaultConfig()
	c.Path, c.Report = t.TempDir(), filepath.Join(t.TempDir(), "reports")
	c.Window, c.Lateness = 10*time.Minute, 2*time.Minute
	settings := cloudapi.DefaultConfig()
	settings.URL = feed.NewURL(v.URL())
	settings.OAuth2 = cloudapi.OAuth2{ClientID: "plant", ClientSecret: feed.NewSecret("plant's secret")}
	factory := cloudapi.Factories()[0]
	c.Expect = feed.Nested{Name: factory.Name, Config: &settings, Factory: factory}
	s, err := newSink(c, feed.StageEnv{Logger: quiet}, at.now)
	if err != nil {
		t.Fatal(err)
	}
	close(s.runs)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.Probe(t.Context()); err != nil { // it begins at noon
		t.Fatal(err)
	}

	// Half an hour of press7, ten readings a second, of which the feed loses, changes,
	// repeats and makes up some; the API's lies are about others.
	const minutes = 36
	var late []reading.Reading
	for minute := range minutes {
		rs := every(100*time.Millisecond, "press7", noon.Add(time.Duration(minute)*time.Minute), 600)
		for i := range rs {
			rs[i].Seq = uint64(minute*600 + i + 1)
		}
		v.deliver(t, rs)
		arrives := slices.Clone(rs)
		switch minute {
		case 12:
			arrives, late = arrives[:593], arrives[593:] // seven are lost, for now
		case 13:
			arrives[599].Value = reading.OfText("something else")
		case 14:
			arrives = append(arrives, arrives[598], every(time.Second, "press9", noon.Add(14*time.Minute), 1)[0])
		}
		if err := s.PublishBatch(t.Context(), feed.NewBatch(messages(arrives...)...)); err != nil {
			t.Fatal(err)
		}
		at.add(time.Minute)
		if minute%5 == 0 {
			s.run(t.Context())
		}
	}
	// All windows up to 12:30 are judged, each 6,000 readings.
	type figures map[string]float64
	check := func(when string, want figures) {
		t.Helper()
		got := s.Gauges()
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s: %s is %v, want %v; all: %v", when, name, got[name], value, got)
			}
		}
	}
	s.run(t.Context())
	want := figures{
		"readings_missing": 7, "readings_altered": 3 + 1, "readings_extra": 4 + 1, "readings_duplicate": 1,
		"readings_expected": 18_000 - 4 + 2, "windows_undecided": 0,
	}
	check("with seven lost", want)
	if g := s.Gauges()["completeness_ratio"]; g != float64(18_000-4-7-4)/float64(18_000-4) {
		t.Errorf("completeness %v", g)
	}
	if err := s.PublishBatch(t.Context(), feed.NewBatch(messages(late...)...)); err != nil {
		t.Fatal(err)
	}
	s.run(t.Context())
	want["readings_missing"] = 0
	check("when they have come after all", want)
	if e := s.Events(); e[eventFailed] != 0 || e[eventGivenUp] != 0 || e[eventRun] != 10 {
		t.Errorf("events %v", e)
	}
	checkPage(t, c.Report)
}

// checkPage looks for what was planted in the report of the windows in which it is.
func checkPage(t testing.TB, dir string) {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(dir, reportPrefix+"*.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[validate.Verdict]int{}
	for _, name := range pages {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var r validate.Result
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		for _, d := range r.Discrepancies {
			found[d.Verdict]++
			if d.Observed != nil && !strings.HasSuffix(strings.Split(d.Observed.Place, ":")[0], segmentSuffix) {
				t.Errorf("%+v was observed at %q", d, d.Observed.Place)
			}
		}
	}
	if found[validate.Altered] != 4 || found[validate.Extra] != 5 || found[validate.Missing] != 0 {
		t.Errorf("the reports have %v", found)
	}
}
