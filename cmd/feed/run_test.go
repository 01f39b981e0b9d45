package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/admin"
)

// running is a feed in a process of its own.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan map[string]any
	all   strings.Builder
	read  sync.WaitGroup
}

// startFeed runs a configuration, which must log JSON.
func startFeed(t *testing.T, text string) *running {
	t.Helper()
	file := filepath.Join(t.TempDir(), "feed.yaml")
	if err := os.WriteFile(file, []byte("log: {format: json}\nadmin: {address: \"127.0.0.1:0\"}\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, cmd: exec.Command("feed", "run", file), lines: make(chan map[string]any, 10_000)}
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.read.Go(func() {
		defer close(r.lines)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			r.all.WriteString(s.Text() + "\n")
			var line map[string]any
			if json.Unmarshal(s.Bytes(), &line) == nil {
				select {
				case r.lines <- line:
				default: // nobody waits for so many
				}
			}
		}
	})
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it has ended, unless the test failed
		r.read.Wait()
		if t.Failed() {
			t.Log(r.all.String())
		}
	})
	return r
}

// waitFor returns the first log line with the given message.
func (r *running) waitFor(msg string) map[string]any {
	r.t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("the feed ended before it logged %q", msg)
			}
			if line["msg"] == msg {
				return line
			}
		case <-timeout:
			r.t.Fatalf("the feed did not log %q", msg)
		}
	}
}

func (r *running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// exitCode waits for the end of the process.
func (r *running) exitCode() int {
	r.t.Helper()
	r.read.Wait()
	err := r.cmd.Wait()
	var ee *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ee):
		return ee.ExitCode()
	}
	r.t.Fatal(err)
	return -1
}

// losing returns a route whose sink goes down with the first message.
func losing(t *testing.T) string {
	return `
routes:
  telemetry:
    source: {generate: {count: 1000, rate: 0}}
    sink: {mqtt: {url: "mqtt://` + dyingBroker(t) + `"}}
`
}

// TestRunServesAndDrains looks at a feed through its admin server and stops it
// while its sink is down: it stays alive, says that it is not ready and why,
// and gives back at its deadline what it could not deliver.
func TestRunServesAndDrains(t *testing.T) {
	r := startFeed(t, "drainTimeout: 300ms\n"+losing(t))
	address, _ := r.waitFor("feed starts")["admin"].(string)
	r.waitFor("route is retrying")

	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("healthz: %d", code)
	}
	if code, body := get("/readyz"); code != 503 || !strings.Contains(body, `"reason": "sink mqtt: `) {
		t.Errorf("readyz: %d %s", code, body)
	}
	if _, body := get("/metrics"); !strings.Contains(body, `datafeed_account_imbalance{feed="feed",route="telemetry",scope="delivery"} 0`) {
		t.Errorf("metrics: %s", body)
	}
	http.DefaultClient.CloseIdleConnections()
	s, err := admin.FetchStatus(t.Context(), address)
	if err != nil || len(s.Routes) != 1 || s.Ready || s.Routes[0].Deliveries.InFlight == 0 {
		t.Errorf("status: %+v, %v", s, err)
	}

	r.signal(syscall.SIGTERM)
	end := r.waitFor("route ended")
	if end["balance"] != "ok" || end["returned"] == 0.0 || end["inFlight"] != 0.0 {
		t.Errorf("at the end: %v", end)
	}
	if code := r.exitCode(); code != exitDeadline {
		t.Errorf("exit code %d", code)
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	r := startFeed(t, "drainTimeout: 10m\n"+losing(t))
	r.waitFor("route is retrying")
	r.signal(syscall.SIGINT)
	r.waitFor("draining")
	r.signal(syscall.SIGTERM)
	if code := r.exitCode(); code != exitSignal {
		t.Errorf("exit code %d", code)
	}
}

// TestSameSignalTwice sends what timeout(1) does.
func TestSameSignalTwice(t *testing.T) {
	r := startFeed(t, "drainTimeout: 10m\n"+losing(t))
	r.waitFor("route is retrying")
	r.signal(syscall.SIGTERM)
	r.signal(syscall.SIGTERM)
	r.waitFor("draining")
	r.signal(syscall.SIGTERM)
	r.signal(syscall.SIGINT)
	end := r.waitFor("stopped at once by a second signal: what is in flight comes again")
	if end["signal"] != syscall.SIGINT.String() {
		t.Errorf("stopped by %v", end["signal"])
	}
	if code := r.exitCode(); code != exitSignal {
		t.Errorf("exit code %d", code)
	}
}

// TestSignalDrains stops an endless feed whose sink works.
func TestSignalDrains(t *testing.T) {
	r := startFeed(t, `
routes:
  telemetry:
    source: {generate: {rate: 0}}
    sink: {blob: {url: "file://`+t.TempDir()+`"}}
`)
	address, _ := r.waitFor("feed starts")["admin"].(string)
	awaitDelivery(t, address)
	r.signal(syscall.SIGTERM)
	end := r.waitFor("route ended")
	if end["balance"] != "ok" || end["returned"] != 0.0 || end["delivered"] == 0.0 {
		t.Errorf("at the end: %v", end)
	}
	if code := r.exitCode(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// awaitDelivery asks a feed for its status until something was delivered.
func awaitDelivery(t *testing.T, address string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for {
		s, err := admin.FetchStatus(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if s.Routes[0].Deliveries.Delivered > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("nothing was delivered")
		}
	}
}

func TestWriteStatus(t *testing.T) {
	now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	s := feed.Status{Feed: "line-1", Started: now.Add(-50 * time.Hour), Routes: []feed.RouteStatus{
		{Name: "telemetry", Source: "amqp", Sink: "mqtt", State: feed.StatePaused, Reason: "mqtt: connection refused\x1b", Since: now.Add(-90 * time.Second),
			Deliveries: feed.Account{Received: 10, Delivered: 4, Filtered: map[string]uint64{"a": 1, "b": 1}, Returned: map[string]uint64{"c": 3}, Quarantined: map[string]uint64{"d": 1}}},
		{Name: "b", Source: "amqp", Sink: "blob", State: feed.StateRunning, Since: now.Add(-2 * time.Hour), Ready: true,
			Deliveries: feed.Account{Received: 3, Delivered: 1, InFlight: 1}},
	}}
	const want = `feed line-1, up 2d2h, not ready

ROUTE      FROM  TO    STATE    FOR    RECEIVED  DELIVERED  FILTERED  QUARANTINED  RETURNED  IN FLIGHT
telemetry  amqp  mqtt  paused   1m30s  10        4          2         1            3         0
b          amqp  blob  running  2h0m   3         1          0         0            0         1

telemetry:
  mqtt: connection refused
telemetry: filtered: a 1, b 1; returned: c 3
b: account does not balance: received 3, but delivered 1 + filtered 0 + quarantined 0 + returned 0 + in flight 1 = 2
1 of 13 messages went to the quarantine: feed quarantine ls --config FILE
`
	var b strings.Builder
	if err := writeStatus(&b, admin.Status{Status: s}, "", now); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}
