package cloudapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// counted counts readings that are equal.
func counted(rs []reading.Reading) map[reading.Reading]int {
	n := map[reading.Reading]int{}
	for _, r := range rs {
		n[r]++
	}
	return n
}

// TestFaults: what the API does wrong arrives as it is, and its refusals cost
// nothing but time.
func TestFaults(t *testing.T) {
	a := startAPI(t, func(o *cloudapi.Options) { o.Rate = 5 })
	rs := seconds("press7", 2000)
	a.put(t, rs...)
	a.faults(t, cloudapi.Faults{Seed: 1, OneIn: 20, Drop: 3, Alter: 2, Duplicate: 4, Unavailable: 4})
	for _, pageSize := range []int{300, 1000} {
		c := configOf(a.URL())
		c.PageSize, c.Parallel = pageSize, 3
		e := openExpectation(t, c)
		got, err := all(t, e, validate.Query{From: noon, To: noon.Add(4 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		told, stored := counted(got), counted(rs)
		missing, extra, twice := 0, 0, 0
		for r := range stored {
			if told[r] == 0 {
				missing++
			}
		}
		for r, n := range told {
			if stored[r] == 0 {
				extra++
			}
			if n == 2 {
				twice++
			}
		}
		if missing != 5 || extra != 2 || twice != 4 || len(got) != 2001 {
			t.Errorf("pages of %d: %d readings; %d are missing, %d were not stored, %d are there twice; want 2001, 5, 2, 4", pageSize, len(got), missing, extra, twice)
		}
		if costs := e.Costs(); costs.Readings != 2001 || costs.Retries == 0 || costs.Requests <= costs.Retries || costs.Bytes < 100*2000 {
			t.Errorf("costs %+v", costs)
		}
	}
}

// TestPagesDoNotDependOnTheirSize: nor on how many parts there are.
func TestPagesDoNotDependOnTheirSize(t *testing.T) {
	a := startAPI(t, nil)
	want := map[reading.Reading]int{}
	for d := range 3 {
		rs := seconds(fmt.Sprintf("device%d", d), 500)
		for i := range rs {
			rs[i].Time = noon.Add(time.Duration(i/7) * 10 * time.Minute).UnixNano() // some at the same time, for twelve hours
		}
		a.put(t, rs...)
		maps.Copy(want, counted(rs))
	}
	for _, size := range []int{3, 499, 10_000} {
		for _, parallel := range []int{1, 2, 5, 32} {
			c := configOf(a.URL())
			c.PageSize, c.Parallel = size, parallel
			if size == 3 && parallel != 5 {
				continue
			}
			places := map[string]bool{}
			var got []reading.Reading
			err := openExpectation(t, c).Read(t.Context(), day, func(p validate.Page) error {
				for _, r := range p.Records {
					got = append(got, r.Reading)
					places[r.Place.String()] = true
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(counted(got), want) {
				t.Errorf("pages of %d, %d at a time: %d readings, want %d", size, parallel, len(got), len(want))
			}
			if len(places) != len(got) {
				t.Errorf("pages of %d, %d at a time: %d readings stand at %d places", size, parallel, len(got), len(places))
			}
		}
	}
}

// TestPlace: where a reading stands can be asked for again.
func TestPlace(t *testing.T) {
	a := startAPI(t, nil)
	rs := seconds("press7", 10)
	a.put(t, rs...)
	c := configOf(a.URL())
	c.PageSize, c.Parallel = 4, 1
	var last validate.Record
	if err := openExpectation(t, c).Read(t.Context(), day, func(p validate.Page) error {
		last = p.Records[len(p.Records)-1]
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if last.Place.Position != 2 || last.Reading != rs[9] {
		t.Fatalf("the last reading is %+v", last)
	}
	body := a.ask(t, cloudapi.ScopeRead, "GET", last.Place.Object, "", nil)
	n := int64(0)
	var found []byte
	if _, err := decodePage(body, func(raw []byte) error {
		if n++; n == last.Place.Position {
			found = slices.Clone(raw)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if string(found) != string(rs[9].AppendJSON(nil)) {
		t.Errorf("at %v stands %s", last.Place, found)
	}
}

func TestWatermark(t *testing.T) {
	a := startAPI(t, nil)
	e := openExpectation(t, configOf(a.URL()))
	if at, err := e.Watermark(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("an empty API has the watermark %v, %v", at, err)
	}
	rs := seconds("press7", 100)
	var body []byte
	for i := range rs {
		body = append(rs[i].AppendJSON(body), '\n')
	}
	a.ask(t, cloudapi.ScopeWrite, "POST", "/v1/batches?device=press7&sequence=1", "application/x-ndjson", body)
	if at, err := e.Watermark(t.Context()); err != nil || !at.Equal(noon.Add(99*time.Second)) || at.Location() != time.UTC {
		t.Errorf("watermark %v, %v", at, err)
	}
}

// TestTokensExpire: during a read, which goes on.
func TestTokensExpire(t *testing.T) {
	var mu sync.Mutex
	now := noon
	a := startAPI(t, func(o *cloudapi.Options) {
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	a.put(t, seconds("press7", 100)...)
	c := configOf(a.URL())
	c.PageSize, c.Parallel = 10, 1
	e := openExpectation(t, c)
	n := 0
	err := e.Read(t.Context(), day, func(p validate.Page) error {
		n += len(p.Records)
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Hour) // of the server: its tokens have ended
		return nil
	})
	if err != nil || n != 100 {
		t.Errorf("%d readings, %v", n, err)
	}
	if costs := e.Costs(); costs.Requests != 19 || costs.Retries != 9 {
		t.Errorf("costs %+v, want 10 requests and a second try for all but the first", costs)
	}
}

// TestRights: what the client may not do is told at once.
func TestRights(t *testing.T) {
	a := startAPI(t, nil)
	for name, tt := range map[string]struct {
		edit func(*Config)
		want string
	}{
		"scope":  {func(c *Config) { c.OAuth2.ClientID = string(cloudapi.ScopeWrite) }, "403"},
		"client": {func(c *Config) { c.OAuth2.ClientID = "nobody" }, "oauth2.clientId"},
		"path": {func(c *Config) {
			c.URL = withPath(c, "/elsewhere")
			c.OAuth2.TokenURL = withPath(c, "/../oauth2/token")
		}, "404"},
	} {
		c := configOf(a.URL())
		tt.edit(&c)
		e := openExpectation(t, c)
		_, err := all(t, e, day)
		checkPermanent(t, name, err, tt.want)
		_, err = e.Watermark(t.Context())
		checkPermanent(t, name, err, tt.want)
	}
}

// TestLostConnections: connections that are cut again and again keep no reading
// back, and make none come twice.
func TestLostConnections(t *testing.T) {
	a := startAPI(t, nil)
	rs := seconds("press7", 1000)
	a.put(t, rs...)
	u, err := url.Parse(a.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := testenv.Proxy(t, u.Host)
	c := configOf("http://" + proxy.Addr)
	c.PageSize, c.Parallel = 50, 1
	e := openExpectation(t, c)
	var got []reading.Reading
	err = e.Read(t.Context(), day, func(p validate.Page) error {
		for _, r := range p.Records {
			got = append(got, r.Reading)
		}
		proxy.Cut()
		return nil
	})
	if err != nil || !slices.Equal(got, rs) {
		t.Errorf("%d readings, %v", len(got), err)
	}
}

// TestCloseEndsWhatWaits: also a read that the API lets wait.
func TestCloseEndsWhatWaits(t *testing.T) {
	a := startAPI(t, nil)
	a.put(t, seconds("press7", 10)...)
	u, err := url.Parse(a.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := testenv.Proxy(t, u.Host)
	e := openExpectation(t, configOf("http://"+proxy.Addr))
	if _, err := all(t, e, day); err != nil {
		t.Fatal(err)
	}
	proxy.BlockReplies()
	before := e.Costs().Requests
	ended := make(chan error)
	go func() {
		_, err := all(t, e, day)
		ended <- err
	}()
	for e.Costs().Requests == before {
		select {
		case err := <-ended:
			t.Fatalf("read ended: %v", err)
		default:
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if _, err := e.Watermark(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("watermark: %v", err)
	}
}

func TestWatermarkEndsWithItsContext(t *testing.T) {
	e := openExpectation(t, configOf("http://127.0.0.1:1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Watermark(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func checkShows(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}
