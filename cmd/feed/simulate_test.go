package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// simulated runs feed simulate with --json.
func simulated(t *testing.T, args ...string) (r simulationReport, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"simulate", "--json"}, args...), strings.NewReader(""), &out, &errs)
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("exit code %d: %s%s", code, out.String(), errs.String())
	}
	return r, code
}

// startTruth starts a stand-in for the cloud API, and returns the flags for it.
func startTruth(t *testing.T) (*cloudapi.Server, []string) {
	t.Helper()
	s, err := cloudapi.Start(cloudapi.Options{Listen: "127.0.0.1:0", Data: filepath.Join(t.TempDir(), "truth.db"), TokenLifetime: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, []string{"--api", s.URL(), "--client-id", "device", "--client-secret-file", cloudapi.SecretPath(s.Path(), "device")}
}

// takeAll takes all messages of a queue.
func takeAll(t *testing.T, ch *amqp091.Channel, queue string) (all []amqp091.Delivery) {
	t.Helper()
	for {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, d)
	}
}

// unpacked returns the intact batches among messages, and how many are not.
func unpacked(t *testing.T, all []amqp091.Delivery) (readings int, batches map[string][32]byte, corrupt, repeated, conflicting uint64) {
	t.Helper()
	batches = map[string][32]byte{}
	for _, d := range all {
		if d.ContentType != batch.ContentType || !strings.HasPrefix(d.RoutingKey, "batches.plant1.line") || d.MessageId == "" {
			t.Fatalf("message %q %q %q", d.ContentType, d.RoutingKey, d.MessageId)
		}
		b, err := batch.Parse(d.Body, batch.Limits{})
		if err == nil {
			_, err = b.Decode(batch.All(), nil, batch.Limits{})
		}
		if err != nil {
			if !errors.As(err, new(*batch.Corrupt)) {
				t.Fatal(err)
			}
			corrupt++
			continue
		}
		id := fmt.Sprintf("%s/%d", b.Device, b.Sequence)
		switch before, known := batches[id]; {
		case known && before == b.Checksum:
			repeated++
		case known:
			conflicting++
		default:
			batches[id] = b.Checksum
			readings += b.Count
		}
	}
	return readings, batches, corrupt, repeated, conflicting
}

// TestSimulateToBoth sends chaos to RabbitMQ and the truth to the API, and looks
// what both have.
func TestSimulateToBoth(t *testing.T) {
	v := testenv.RabbitMQ(t)
	ch := openChannel(t, v.URL())
	declareBound(t, ch, "devices", "batches.#", "arrived")
	truth, api := startTruth(t)
	const count = 30_000
	flags := append([]string{
		"--url", v.URL(), "--count", fmt.Sprint(count), "--rate", "0", "--devices", "5", "--codec", "mixed", "--batch-readings", "100",
		"--chaos", "corrupt=5%,duplicate=5%,reorder=10%,garbage=5%,conflict=5%,skew=30s",
	}, api...)
	r, code := simulated(t, flags...)
	if code != exitOK || !r.Complete || r.Readings != count || len(r.Sinks) != 2 {
		t.Fatalf("exit code %d, %+v", code, r)
	}
	wild, honest := r.Sinks[0].Made, r.Sinks[1].Made
	readings, batches, corrupt, repeated, conflicting := unpacked(t, takeAll(t, ch, "arrived"))
	if readings != count || uint64(len(batches)) != r.Batches || corrupt != wild.Corrupt() || repeated != wild.Duplicates || conflicting != wild.Conflicts {
		t.Errorf("RabbitMQ has %d readings in %d batches, %d corrupt, %d repeated, %d conflicting; it said %+v", readings, len(batches), corrupt, repeated, conflicting, wild)
	}
	if corrupt == 0 || repeated == 0 || conflicting == 0 || wild.Reordered == 0 {
		t.Errorf("too little chaos: %+v", wild)
	}
	if honest.Messages != r.Batches || honest.Corrupt() != 0 {
		t.Errorf("to the API: %+v", honest)
	}
	if held := truth.Stats().Readings; held != count {
		t.Errorf("the API holds %d readings, want %d", held, count)
	}

	// The same flags, start and seed make the same again: the API has it already.
	again, code := simulated(t, append(flags, "--start", r.Start.Format(time.RFC3339Nano), "--chaos", "skew=30s")...)
	if code != exitOK || !again.Complete {
		t.Fatalf("again: exit code %d, %+v", code, again)
	}
	if held := truth.Stats().Readings; held != count {
		t.Errorf("the API holds %d readings after the second time, want %d", held, count)
	}
	_, second, _, _, _ := unpacked(t, takeAll(t, ch, "arrived"))
	if hashOf(second) != hashOf(batches) {
		t.Error("the second time made other batches")
	}
}

func hashOf(batches map[string][32]byte) [32]byte {
	text, err := json.Marshal(batches) // with its keys in order
	if err != nil {
		panic(err)
	}
	return sha256.Sum256(text)
}

// TestSimulateFor ends both places with the same batch.
func TestSimulateFor(t *testing.T) {
	v := testenv.RabbitMQ(t)
	ch := openChannel(t, v.URL())
	declareBound(t, ch, "devices", "batches.#", "arrived")
	truth, api := startTruth(t)
	r, code := simulated(t, append([]string{"--url", v.URL(), "--for", "2s", "--rate", "10000"}, api...)...)
	if code != exitOK || !r.Complete || r.Readings == 0 || r.Sinks[0].Made.Batches != r.Sinks[1].Made.Batches {
		t.Fatalf("exit code %d, %+v", code, r)
	}
	if readings, _, _, _, _ := unpacked(t, takeAll(t, ch, "arrived")); uint64(readings) != r.Readings || truth.Stats().Readings != int64(r.Readings) {
		t.Errorf("%d and %d readings arrived, want %d", readings, truth.Stats().Readings, r.Readings)
	}
}

func TestSimulationLine(t *testing.T) {
	at := func(passed time.Duration, n uint64, state feed.State, reason string) glance {
		r := glanceRoute{readings: n}
		r.Name, r.State, r.Reason = "amqp", state, reason
		r.Deliveries.Delivered, r.Deliveries.InFlight = n/1000, 3
		return glance{passed, []glanceRoute{r}}
	}
	got := simulationLine(at(time.Second, 1000, feed.StateRunning, ""), at(3*time.Second, 5000, feed.StateRetrying, "no broker"))
	if want := "3s | amqp: 5000 readings in 5 batches, 2000 readings/s, 3 unconfirmed, retrying: no broker"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSimulateWithAWrongSecret gives up when it is told to, and says why.
func TestSimulateWithAWrongSecret(t *testing.T) {
	_, api := startTruth(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	errs := endsAt{text: "401", end: cancel}
	code := run(ctx, append(append([]string{"simulate", "--rate", "0"}, api...), "--client-secret-file", secret), strings.NewReader(""), &out, &errs)
	if code != exitFailure || !strings.Contains(out.String(), "nothing was made") || !strings.Contains(errs.String(), "401") || strings.Contains(out.String()+errs.String(), "canary") {
		t.Errorf("exit code %d: %s%s", code, out.String(), errs.String())
	}
}

// endsAt is an output that ends a run once a text stands in it.
type endsAt struct {
	bytes.Buffer
	text string
	end  func()
}

func (e *endsAt) Write(p []byte) (int, error) {
	n, err := e.Buffer.Write(p)
	if strings.Contains(e.String(), e.text) {
		e.end()
	}
	return n, err
}

// TestSimulateAgainstOtherTruth sends other readings to an API that holds some of
// the same devices and numbers: one reason, the remedy, and no JSON.
func TestSimulateAgainstOtherTruth(t *testing.T) {
	_, api := startTruth(t)
	flags := append([]string{"simulate", "--rate", "0", "--count", "3000", "--devices", "3", "--batch-readings", "100", "--start", "2026-01-01T00:00:00Z"}, api...)
	runs(t, exitOK, flags...)
	var out, errs bytes.Buffer
	code := run(t.Context(), append(flags, "--seed", "7"), strings.NewReader(""), &out, &errs)
	told := out.String() + errs.String()
	if code != exitFailure || strings.Contains(told, "{") || strings.Contains(told, `\"`+"title") || strings.Contains(told, "again,") {
		t.Errorf("exit code %d:\n%s", code, told)
	}
	for _, want := range []string{"REFUSED", "messages, the first one because: batch 1 of device \"", "start it with a new --data, or give the --seed and --start of before"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	if n := strings.Count(errs.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, errs.String())
	}
}

func TestProblemDetail(t *testing.T) {
	for reason, want := range map[string]string{
		`answered 422: {"title":"Unprocessable","status":422,"detail":"batch 1 of \"x\" is there"}`: `batch 1 of "x" is there`,
		`answered 422: {"title":"Unprocessable","status":422,"detail":"batch 1 of \`:                `batch 1 of `,
		`answered 500: <html>`:              `answered 500: <html>`,
		`answered 422: {"detail":"cut \u00`: `answered 422: {"detail":"cut \u00`,
	} {
		if got := problemDetail(reason); got != want {
			t.Errorf("%s became %q, want %q", reason, got, want)
		}
	}
}
