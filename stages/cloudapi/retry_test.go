package cloudapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// scripted answers requests without a network, so that time can be a bubble's. It
// gives a token to anybody.
type scripted struct {
	mu     sync.Mutex
	answer func(n int) *http.Response // nil: the connection is lost
	at     []time.Duration            // when requests came, since the first one
	begun  time.Time
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/oauth2/token") {
		return respond(200, `{"access_token":"token","token_type":"Bearer"}`), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.at) == 0 {
		s.begun = time.Now()
	}
	s.at = append(s.at, time.Since(s.begun))
	resp := s.answer(len(s.at) - 1)
	if resp == nil {
		return nil, io.ErrUnexpectedEOF
	}
	return resp, nil
}

func respond(status int, body string, header ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

func scriptedClient(t *testing.T, patience time.Duration, answer func(n int) *http.Response) (*client, *scripted) {
	t.Helper()
	s := &scripted{answer: answer}
	c := configOf("https://api.example")
	c.Patience = patience
	cl, err := newClient(c, s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return cl, s
}

// TestRetryAfter: the API says when, in seconds or by a date.
func TestRetryAfter(t *testing.T) {
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			cl, s := scriptedClient(t, 2*time.Minute, func(n int) *http.Response {
				switch n {
				case 0:
					return respond(status, "", "Retry-After", "30")
				case 1:
					return respond(status, "", "Retry-After", time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat))
				}
				return respond(200, "page")
			})
			body, err := cl.get(t.Context(), "/v1/readings", nil, nil)
			if err != nil || string(body) != "page" {
				t.Fatalf("%s, %v", body, err)
			}
			if want := []time.Duration{0, 30 * time.Second, 50 * time.Second}; fmt.Sprint(s.at) != fmt.Sprint(want) {
				t.Errorf("%d: requests at %v, want %v", status, s.at, want)
			}
		})
	}
}

// TestRetryAfterIsBounded by patience, and not waited for in vain.
func TestRetryAfterIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl, s := scriptedClient(t, time.Minute, func(int) *http.Response { return respond(429, "not now", "Retry-After", "25") })
		begun := time.Now()
		_, err := cl.get(t.Context(), "/v1/readings", nil, nil)
		checkShows(t, "bounded", err, "patience (1m0s) is too short")
		checkShows(t, "bounded", err, "not now")
		if took := time.Since(begun); took != 50*time.Second || len(s.at) != 3 || feed.IsPermanent(err) {
			t.Errorf("%d requests in %v: %v", len(s.at), took, err)
		}
	})
}

// TestPausesOfOthers: the time for which the API has asked another request uses up
// no patience, so that a failure after it is still tried again.
func TestPausesOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl, s := scriptedClient(t, time.Minute, func(n int) *http.Response {
			if n == 0 {
				return respond(503, "", "Retry-After", "20")
			}
			return respond(200, "page")
		})
		cl.pause.until(time.Now().Add(50 * time.Second))
		if _, err := cl.get(t.Context(), "/v1/readings", nil, nil); err != nil || len(s.at) != 2 {
			t.Errorf("after a pause of others: %d requests, %v", len(s.at), err)
		}
	})
}

// TestPauseIsForAll: no request goes out while the API wants none.
func TestPauseIsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl, s := scriptedClient(t, time.Minute, func(n int) *http.Response {
			if n == 0 {
				return respond(429, "", "Retry-After", "30")
			}
			return respond(200, "page")
		})
		var wg sync.WaitGroup
		get := func() {
			if _, err := cl.get(t.Context(), "/v1/readings", nil, nil); err != nil {
				t.Error(err)
			}
		}
		wg.Go(get)
		synctest.Wait()
		for range 5 {
			wg.Go(get)
			synctest.Wait()
			time.Sleep(time.Second) // of fake time
		}
		wg.Wait()
		for _, at := range s.at[1:] {
			if at < 30*time.Second {
				t.Errorf("requests at %v", s.at)
			}
		}
	})
}

// TestIntervalsGrow, and end with patience, for what may pass by itself.
func TestIntervalsGrow(t *testing.T) {
	for name, answer := range map[string]func(int) *http.Response{
		"lost":   func(int) *http.Response { return nil },
		"500":    func(int) *http.Response { return respond(500, "oh") },
		"502":    func(int) *http.Response { return respond(502, "oh") },
		"408":    func(int) *http.Response { return respond(408, "oh") },
		"broken": func(int) *http.Response { r := respond(200, ""); r.Body = io.NopCloser(brokenBody{}); return r },
	} {
		synctest.Test(t, func(t *testing.T) {
			cl, s := scriptedClient(t, 2*time.Minute, answer)
			begun := time.Now()
			_, err := cl.get(t.Context(), "/v1/readings", nil, nil)
			checkShows(t, name, err, "patience (2m0s) has ended")
			if feed.IsPermanent(err) {
				t.Errorf("%s: %v is permanent", name, err)
			}
			if took := time.Since(begun); took > 2*time.Minute || took < 2*time.Minute-longestInterval {
				t.Errorf("%s: it took %v", name, took)
			}
			if n := len(s.at); n < 12 || n > 25 {
				t.Errorf("%s: %d requests", name, n)
			}
			for i := 1; i < len(s.at); i++ {
				nominal := min(firstInterval<<(i-1), longestInterval)
				if d := s.at[i] - s.at[i-1]; d < nominal/2 || d > nominal {
					t.Errorf("%s: interval %d is %v, want %v to %v", name, i, d, nominal/2, nominal)
				}
			}
		})
	}
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestWaitsEndWithTheContext: those between tries, and those in a pause.
func TestWaitsEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl, _ := scriptedClient(t, time.Hour, func(int) *http.Response { return respond(503, "", "Retry-After", "600") })
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			begun := time.Now()
			_, err := cl.get(ctx, "/v1/readings", nil, nil)
			cancel()
			if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
				t.Errorf("%v after %v", err, took)
			}
		}
	})
}

// TestTokenServerIsDown: a token is waited for like a page, and refused at once.
func TestTokenServerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := configOf("https://api.example")
		cl, err := newClient(c, roundTrip(func(r *http.Request) *http.Response {
			if r.URL.Path == "/v1/readings" {
				return respond(200, "page")
			}
			switch asked++; asked {
			case 1:
				return respond(503, "", "Retry-After", "10")
			case 2:
				return respond(500, "")
			}
			return respond(200, `{"access_token":"token","token_type":"Bearer"}`)
		}), quiet)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if body, err := cl.get(t.Context(), "/v1/readings", nil, nil); err != nil || string(body) != "page" {
			t.Errorf("%s, %v", body, err)
		}
		if took := time.Since(begun); asked != 3 || took < 10*time.Second || took > 11*time.Second {
			t.Errorf("%d requests for a token in %v", asked, took)
		}
	})
	for _, answer := range []*http.Response{respond(401, `{"error":"invalid_client"}`), respond(400, "what?"), respond(200, "<html>")} {
		asked := 0
		cl, err := newClient(configOf("https://api.example"), roundTrip(func(*http.Request) *http.Response { asked++; return answer }), quiet)
		if err != nil {
			t.Fatal(err)
		}
		_, err = cl.get(t.Context(), "/v1/readings", nil, nil)
		checkPermanent(t, fmt.Sprint(answer.StatusCode), err, "oauth2.clientSecret")
		if asked != 1 {
			t.Errorf("%d requests", asked)
		}
	}
}

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }
