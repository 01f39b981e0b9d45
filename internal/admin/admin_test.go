package admin

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/metrics"
	"github.com/kraft-edge/datafeed/plugins/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	ready  = feed.Status{Feed: "line-1", Ready: true, Routes: []feed.RouteStatus{{Name: "a", State: feed.StateRunning, Ready: true}}}
	paused = feed.Status{Feed: "line-1", Routes: []feed.RouteStatus{
		{Name: "a", State: feed.StateRunning, Ready: true},
		{Name: "b", State: feed.StatePaused, Reason: "connection refused", Since: time.Unix(1_700_000_000, 0).UTC()},
	}}
	acme = []host.Plugin{{
		Name: "acme", Path: "plugins/acme", Stages: []host.Stage{{Kind: feed.KindTransform, Name: "round"}}, State: host.StateLeftAlone,
		Since: time.Unix(1_700_000_000, 0).UTC(), Error: "its budget", Restarts: map[string]uint64{"exit": 5}, Budget: host.Budget{Used: 5, Restarts: 5, Within: time.Minute},
	}}
)

func options(t *testing.T, s feed.Status) Options {
	t.Helper()
	registry := prometheus.NewRegistry()
	status := func() feed.Status { return s }
	if err := registry.Register(metrics.Collector(status)); err != nil {
		t.Fatal(err)
	}
	return Options{Status: status, Metrics: registry, Logger: slog.New(slog.DiscardHandler)}
}

func TestHandler(t *testing.T) {
	exposed := options(t, ready)
	exposed.ExposeMetrics = true
	for _, test := range []struct {
		name     string
		opts     Options
		local    bool
		method   string
		path     string
		code     int
		contains string
	}{
		{"alive", options(t, ready), false, "GET", "/healthz", 200, "ok"},
		{"alive through an outage", options(t, paused), false, "GET", "/healthz", 200, "ok"},
		{"ready", options(t, ready), false, "GET", "/readyz", 200, `"ready": true`},
		{"not ready", options(t, paused), false, "GET", "/readyz", 503, `"reason": "connection refused"`},
		{"metrics here", options(t, ready), true, "GET", "/metrics", 200, `datafeed_route_ready{feed="line-1",route="a"} 1`},
		{"metrics elsewhere", options(t, ready), false, "GET", "/metrics", 403, "expose: [metrics]"},
		{"metrics exposed", exposed, false, "GET", "/metrics", 200, "datafeed_ready"},
		{"status here", options(t, ready), true, "GET", "/status", 200, `"feed": "line-1"`},
		{"status elsewhere", exposed, false, "GET", "/status", 403, "expose: [status]"},
		{"no writing", options(t, ready), true, "POST", "/status", 405, ""},
		{"unknown", options(t, ready), true, "GET", "/debug/pprof/", 404, ""},
		{"the root lists what there is", options(t, ready), false, "GET", "/", 404, "/healthz /readyz /metrics /status"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			handler(test.opts, test.local).ServeHTTP(rec, httptest.NewRequest(test.method, test.path, nil))
			if rec.Code != test.code || !strings.Contains(rec.Body.String(), test.contains) {
				t.Errorf("got %d %s", rec.Code, rec.Body)
			}
		})
	}
}

func TestReadyzNamesWhatIsNotReady(t *testing.T) {
	rec := httptest.NewRecorder()
	handler(options(t, paused), true).ServeHTTP(rec, httptest.NewRequest("GET", "/readyz", nil))
	var got readiness
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := readiness{NotReady: []notReady{{"b", feed.StatePaused, "connection refused", time.Unix(1_700_000_000, 0).UTC()}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// TestServe asks a server as "feed status" does, and stops it.
func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	l, err := Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	served := make(chan error, 1)
	opts := options(t, paused)
	opts.Plugins = func() []host.Plugin { return acme }
	go func() { served <- Serve(ctx, l, opts) }()

	got, err := FetchStatus(ctx, address)
	if err != nil || !reflect.DeepEqual(got, Status{paused, acme}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := Listen(ctx, address); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second server: %v", err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := FetchStatus(t.Context(), address); err == nil || !strings.Contains(err.Error(), "no feed answers") {
		t.Errorf("after the stop: %v", err)
	}
}

// TestServeStopsWithinItsTime stops a server while a request hangs.
func TestServeStopsWithinItsTime(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	l, err := Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	opts := options(t, ready)
	opts.Status = func() feed.Status {
		close(entered)
		<-release
		return ready
	}
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, opts) }()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if _, err := FetchStatus(t.Context(), l.Addr().String()); err == nil {
			t.Error("the hanging request was answered")
		}
	}()
	<-entered
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	<-asked
	close(release)
}

func TestListenErrors(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:0":       "this machine has no address",
		"no.such.invalid:1": "check admin.address",
	} {
		if l, err := Listen(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v", address, l, err)
		}
	}
}

func TestLocal(t *testing.T) {
	for ip, want := range map[string]bool{"127.0.0.1": true, "127.8.8.8": true, "::1": true, "0.0.0.0": false, "::": false, "10.0.0.1": false} {
		if got := local(&net.TCPAddr{IP: net.ParseIP(ip)}); got != want {
			t.Errorf("%s: got %v", ip, got)
		}
	}
}

func TestFetchStatusErrors(t *testing.T) {
	server := func(code int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	for address, want := range map[string]string{
		"localhost":                       "write host:port",
		server(403, "not served here"):    "not served here",
		server(200, "<html>hello</html>"): "is it a feed?",
	} {
		if _, err := FetchStatus(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
}
