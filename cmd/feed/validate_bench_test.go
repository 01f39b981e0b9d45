package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/stages/blob"
	cloud "github.com/kraft-edge/datafeed/stages/cloudapi"
	"github.com/kraft-edge/datafeed/stages/postgres"
)

var benchReadings = flag.Int64("readings", 200_000, "how many readings BenchmarkValidate has at each side")

// devices are those that both sides have the readings of, some 85 in each second.
const devices = "devices: 100, rate: 0, period: 10s, batch: {every: 10m}, codec: columnar, start: \"2026-03-01T00:00:00Z\""

// BenchmarkValidate has simulated devices deliver to the stand-in for the cloud API
// and, through one feed, to files of NDJSON, files of Parquet and PostgreSQL. It
// compares each of these with the API in a process of its own, and reads each side
// alone for comparison. With -readings 10000000 it takes a while.
func BenchmarkValidate(b *testing.B) {
	dir := b.TempDir()
	db := testenv.PostgreSQL(b)
	api := serveAPI(b, dir)
	count := fmt.Sprint(*benchReadings)
	finish(b, nil, 0, "simulate", "--api", api, "--client-id", "device", "--client-secret-file", cloudapi.SecretPath(filepath.Join(dir, "readings.db"), "device"),
		"--devices", "100", "--rate", "0", "--period", "10s", "--batch-every", "10m", "--codec", "columnar", "--count", count, "--start", "2026-03-01T00:00:00Z")
	configs := map[string]string{}
	for _, name := range []string{"ndjson", "parquet"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	const path = `path: "{date}/{hour}/{hash}"`
	feedFile := configure(b, dir, "feed.yaml", `
admin: {address: off}
log: {level: error}
quarantine: {path: DIR/q.db}
routes:
  all:
    source: {simulate: {DEVICES, count: COUNT}}
    transforms: [{unbatch: {}}]
    batch: {maxMessages: 20000, maxDelay: 10s}
    sink:
      all:
        - blob: {url: "file://DIR/ndjson", PATH}
        - blob: {url: "file://DIR/parquet", PATH, format: parquet}
        - postgres: {url: "DATABASE"}
`, "DIR", dir, "DEVICES", devices, "COUNT", count, "PATH", path, "DATABASE", db.URL())
	finish(b, nil, 0, "run", feedFile)
	secret := "${file:" + cloudapi.SecretPath(filepath.Join(dir, "readings.db"), "validator") + "}"
	for name, side := range map[string]string{
		"ndjson": `blob: {url: "file://DIR/ndjson", PATH}`, "parquet": `blob: {url: "file://DIR/parquet", PATH}`, "postgres": `postgres: {url: "DATABASE"}`,
	} {
		configs[name] = configure(b, dir, name+".yaml", `
log: {level: error}
validate:
  expect: {cloudapi: {url: "API", oauth2: {clientId: validator, clientSecret: "SECRET"}}}
  observe: {SIDE}
  window: 10m
  lateness: 0s
`, "API", api, "SECRET", secret, "SIDE", side, "DIR", dir, "PATH", path, "DATABASE", db.URL())
	}
	expectation, until := openCloud(b, api, filepath.Join(dir, "readings.db"))
	span := validate.Query{From: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), To: until}
	observed := map[string]validate.Side{"postgres": databaseSide(b, db.URL()), "ndjson": fileSide(b, filepath.Join(dir, "ndjson")), "parquet": fileSide(b, filepath.Join(dir, "parquet"))}

	b.Run("read=cloudapi", func(b *testing.B) { plainRead(b, expectation, span) })
	for _, name := range []string{"ndjson", "parquet", "postgres"} {
		b.Run("read="+name, func(b *testing.B) { plainRead(b, observed[name], span) })
		b.Run("validate="+name, func(b *testing.B) {
			var compared int64
			var used syscall.Rusage
			var cpu time.Duration
			for b.Loop() {
				var r validate.Result
				usage := finish(b, &r, 0, "validate", configs[name], "--from", span.From.Format(time.RFC3339), "--to", span.To.Format(time.RFC3339), "--json")
				if r.Outcome != validate.Proven || r.Counts.Matched != r.Counts.Expected {
					b.Fatalf("%s: %+v", r.Outcome, r.Counts)
				}
				compared, used = compared+r.Counts.Expected, *usage
				cpu += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
			}
			b.ReportMetric(float64(compared)/b.Elapsed().Seconds(), "readings/s")
			b.ReportMetric(float64(compared)/cpu.Seconds(), "readings/cpu-s")
			b.ReportMetric(float64(compared)/float64(b.N), "readings")
			b.ReportMetric(float64(used.Maxrss)/1024, "MiB-peak")
		})
	}
}

// plainRead reads a side, and does nothing with it.
func plainRead(b *testing.B, s validate.Side, q validate.Query) {
	var n int64
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.Read(b.Context(), q, func(p validate.Page) error {
			n += int64(len(p.Records))
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "readings/s")
	b.ReportMetric(float64(n)/cpu.Seconds(), "readings/cpu-s")
	b.ReportMetric(float64(n)/float64(b.N), "readings")
}

// configure writes a file, with words in the place of others.
func configure(b *testing.B, dir, name, text string, words ...string) string {
	b.Helper()
	file := filepath.Join(dir, name)
	for i := 0; i < len(words); i += 2 {
		text = strings.ReplaceAll(text, words[i], words[i+1])
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

// finish runs feed in a process of its own to its end, which the exit code is of. It
// takes what it prints as JSON, unless into is nil, and returns what it has used.
func finish(b *testing.B, into any, code int, args ...string) *syscall.Rusage {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "feed", args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != code {
		b.Fatalf("%v: %v\n%s%s", args, err, out.String(), errs.String())
	}
	if into != nil {
		if err := json.Unmarshal([]byte(out.String()), into); err != nil {
			b.Fatalf("%v: %v\n%s", args, err, out.String())
		}
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage)
}

// serveAPI starts the stand-in with its data in a directory, and returns its address.
func serveAPI(b *testing.B, dir string) string {
	b.Helper()
	cmd := exec.Command("feed", "simulate", "api", "--listen", "127.0.0.1:0", "--data", dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
			b.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	address, _, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "cloud API")), " ")
	return address
}

// openCloud returns the expectation, and up to when the cloud has all, in full windows.
func openCloud(b *testing.B, address, data string) (*cloud.Expectation, time.Time) {
	b.Helper()
	c := cloud.DefaultConfig()
	c.URL = feed.NewURL(address)
	c.OAuth2.ClientID, c.OAuth2.ClientSecret = "validator", feed.SecretFile(cloudapi.SecretPath(data, "validator"))
	e, err := cloud.NewExpectation(c, feed.StageEnv{})
	if err != nil {
		b.Fatal(err)
	}
	closeAfter(b, e)
	at, err := e.Watermark(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return e, at.Truncate(10 * time.Minute)
}

func closeAfter(b *testing.B, s validate.Side) {
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
}

func fileSide(b *testing.B, dir string) validate.Side {
	b.Helper()
	c := blob.DefaultObservationConfig()
	c.URL, c.Path = feed.NewURL("file://"+dir), "{date}/{hour}/{hash}"
	o, err := blob.NewObservation(c, feed.StageEnv{})
	if err != nil {
		b.Fatal(err)
	}
	closeAfter(b, o)
	return o
}

func databaseSide(b *testing.B, url string) validate.Side {
	b.Helper()
	c := postgres.DefaultObservationConfig()
	c.URL = feed.NewURL(url)
	o, err := postgres.NewObservation(c, feed.StageEnv{})
	if err != nil {
		b.Fatal(err)
	}
	closeAfter(b, o)
	return o
}
