package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// quarantined returns an item as the amqp source describes it.
func quarantined(t *testing.T, p amqp.Properties, body string) feed.QuarantineItem {
	t.Helper()
	properties, err := amqp.EncodeProperties(p)
	if err != nil {
		t.Fatal(err)
	}
	return feed.QuarantineItem{
		Original: feed.Original{Payload: []byte(body), Format: amqp.Format, Properties: properties, Origin: "queue in"},
		Route:    "telemetry", Stage: "bridge", Reason: "as told",
	}
}

// storeOf makes a quarantine of items and returns a file that names it.
func storeOf(t *testing.T, items ...feed.QuarantineItem) (file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "feed.yaml")
	c := quarantine.DefaultConfig()
	c.Feed, c.Path = "feed", filepath.Join(dir, "q.db")
	if err := os.WriteFile(file, fmt.Appendf(nil, "quarantine: {path: %q}\n", c.Path), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := quarantine.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// runs executes a command line, demands its exit code and returns what it
// printed.
func runs(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	if got := run(t.Context(), args, strings.NewReader(""), &out, &errs); got != code {
		t.Fatalf("%s: exit code %d, want %d:\n%s%s", args, got, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// drain returns the bodies of all messages in a queue.
func drain(t *testing.T, ch *amqp091.Channel, queue string) (bodies []string) {
	t.Helper()
	for {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return bodies
		}
		bodies = append(bodies, string(d.Body))
	}
}

// TestReplayGoesOn stops at a queue that is not there, and goes on from there
// when it is.
func TestReplayGoesOn(t *testing.T) {
	v := testenv.RabbitMQ(t)
	t.Setenv("AMQP_URL", v.URL())
	ch := openChannel(t, v.URL())
	declareBound(t, ch, "", "", "one")
	var items []feed.QuarantineItem
	for i := range 4 {
		items = append(items, quarantined(t, amqp.Properties{RoutingKey: []string{"one", "two"}[i/2], DeliveryMode: 2}, fmt.Sprint(i)))
	}
	file := storeOf(t, items...)
	out, errs := runs(t, exitFailure, "quarantine", "replay", "--config", file, "--all", "--to", "${AMQP_URL}")
	if !strings.HasPrefix(out, "2 of 4 messages replayed to ") || !strings.Contains(errs, "item 3: ") {
		t.Errorf("printed %s%s", out, errs)
	}
	declareBound(t, ch, "", "", "two")
	if out, _ := runs(t, exitOK, "quarantine", "replay", "--config", file, "--all", "--to", "${AMQP_URL}"); !strings.HasPrefix(out, "2 of 2 messages replayed to ") {
		t.Errorf("printed %s", out)
	}
	// Sent again on purpose, to another place.
	if out, _ := runs(t, exitOK, "quarantine", "replay", "--config", file, "--id", "4,1", "--again", "--to", "${AMQP_URL}", "--exchange", "", "--routing-key", "two"); !strings.HasPrefix(out, "2 of 2 messages replayed to ") {
		t.Errorf("printed %s", out)
	}
	for queue, want := range map[string]string{"one": "0 1", "two": "2 3 0 3"} {
		if got := drain(t, ch, queue); strings.Join(got, " ") != want {
			t.Errorf("queue %s has %s, want %s", queue, got, want)
		}
	}
}

// TestReplayLeavesOutWhatTheBrokerRefuses checks that a message because of which
// the broker closes the channel does not keep the others from being sent. What
// was sent with it may come twice: the broker had not confirmed it.
func TestReplayLeavesOutWhatTheBrokerRefuses(t *testing.T) {
	v := testenv.RabbitMQ(t)
	t.Setenv("AMQP_URL", v.URL())
	ch := openChannel(t, v.URL())
	declareBound(t, ch, "", "", "in")
	watermill := quarantined(t, amqp.Properties{RoutingKey: "in"}, "other format")
	watermill.Format = feed.FormatWatermill
	file := storeOf(t,
		quarantined(t, amqp.Properties{RoutingKey: "in"}, "1"),
		quarantined(t, amqp.Properties{RoutingKey: "in", UserID: "somebody else"}, "2"),
		watermill,
		quarantined(t, amqp.Properties{RoutingKey: "in"}, "4"),
		quarantined(t, amqp.Properties{RoutingKey: "in", UserID: v.User}, "5"),
	)
	out, _ := runs(t, exitFailure, "quarantine", "replay", "--config", file, "--all", "--to", "${AMQP_URL}")
	if !strings.HasPrefix(out, "3 of 5 messages replayed to ") || !strings.Contains(out, "  item 2: ") || !strings.Contains(out, "  item 3: its properties have the format") {
		t.Errorf("printed %s", out)
	}
	var firsts []string
	for _, body := range drain(t, ch, "in") {
		if !slices.Contains(firsts, body) {
			firsts = append(firsts, body)
		}
	}
	if !slices.Equal(firsts, []string{"1", "4", "5"}) {
		t.Errorf("got %s, want 1, 4 and 5", firsts)
	}
	if out, _ := runs(t, exitOK, "quarantine", "ls", "--config", file, "--state", "waiting"); !strings.Contains(out, "2 of 5 messages") {
		t.Errorf("printed %s", out)
	}
}

// TestReplayToNobody checks that a broker that cannot be reached ends a replay,
// and shows no password.
func TestReplayToNobody(t *testing.T) {
	file := storeOf(t, quarantined(t, amqp.Properties{RoutingKey: "in"}, "1"))
	out, errs := runs(t, exitFailure, "quarantine", "replay", "--config", file, "--all", "--to", "amqp://user:canary@127.0.0.1:1/")
	if !strings.HasPrefix(out, "0 of 1 message replayed") || strings.Contains(out+errs, "canary") {
		t.Errorf("printed %s%s", out, errs)
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown bytes.Buffer
		count := int64(0)
		p := (&cli{stderr: &shown}).startProgress("replayed", 200, func() int64 { count += 50; return count })
		time.Sleep(25 * time.Second) // of fake time
		p.stop()
		if got, want := shown.String(), "replayed 50 of 200, 25%\nreplayed 100 of 200, 50%\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
