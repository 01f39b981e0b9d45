package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
)

// TestSimulateAPI: what the command prints is enough to use it; it lies as it is
// told to, and ends without an error.
func TestSimulateAPI(t *testing.T) {
	data := filepath.Join(t.TempDir(), "truth.db")
	out, printed := io.Pipe()
	var errs bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"simulate", "api", "--listen", "127.0.0.1:0", "--data", data, "--seed", "1", "--one-in", "1", "--alter", "1"}, strings.NewReader(""), printed, &errs)
		printed.Close()
		ended <- code
	}()
	var base string
	in := bufio.NewScanner(out)
	for in.Scan() {
		if what, rest, _ := strings.Cut(in.Text(), "  "); what == "cloud API" {
			base, _, _ = strings.Cut(rest, " ")
		}
		if strings.HasPrefix(in.Text(), "all of it") {
			break
		}
	}
	if base == "" {
		stop()
		t.Fatalf("it has not said where it is: %s, exit code %d", errs.String(), <-ended)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	do := func(r *http.Request, v any) {
		t.Helper()
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(v); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("answer %d %+v, error %v", resp.StatusCode, v, err)
		}
	}
	ask := func(id, method, path, body string, v any) {
		t.Helper()
		secret, err := os.ReadFile(cloudapi.SecretPath(data, id))
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {strings.TrimSpace(string(secret))}}
		r, err := http.NewRequest("POST", base+"/oauth2/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		var token struct {
			AccessToken string `json:"access_token"`
		}
		do(r, &token)
		if r, err = http.NewRequest(method, base+path, strings.NewReader(body)); err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-ndjson")
		r.Header.Set("Authorization", "Bearer "+token.AccessToken)
		do(r, v)
	}
	var receipt struct{ Accepted int }
	ask("device", "POST", "/v1/batches", `{"device":"d","tag":"t","ts":"2026-11-21T03:04:05Z","value":1,"quality":"good","seq":1}`, &receipt)
	var page struct {
		Readings []struct{ Value int }
	}
	ask("validator", "GET", "/v1/readings", "", &page)
	var told struct {
		Lies []struct {
			Told struct{ Value int }
		}
	}
	ask("admin", "GET", "/admin/faults", "", &told)
	if receipt.Accepted != 1 || len(page.Readings) != 1 || len(told.Lies) != 1 || page.Readings[0].Value == 1 || page.Readings[0].Value != told.Lies[0].Told.Value {
		t.Errorf("receipt %+v, page %+v, lies %+v", receipt, page, told)
	}
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

func TestAPILine(t *testing.T) {
	got := apiLine(cloudapi.Stats{Readings: 1000, Requests: 10}, cloudapi.Stats{Readings: 3000, Requests: 15}, 2*time.Second)
	if want := "3000 readings held, 1000 readings/s, 2 requests/s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
