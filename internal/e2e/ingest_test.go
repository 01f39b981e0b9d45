package e2e_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/postgres"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

var ingested = flag.Int("readings", 60_000, "readings of TestIngest, in batches of 1,000")

// plantOf is n readings of simulated devices, from a time on, at a rate in
// readings a second or, with 0, as fast as they are taken.
func plantOf(n int, start time.Time, rate int, c simulate.Chaos) simulate.Config {
	p := simulate.DefaultConfig()
	p.Sites, p.Devices, p.Rate, p.Count = []string{"north", "south"}, 30, rate, int64(n)
	p.Start, p.Codec, p.Batch.Every, p.Chaos = start.Format(time.RFC3339), "mixed", 1000*time.Hour, c
	return p
}

// TestIngest has simulated devices send batches, in all codecs, of which some
// are damaged, repeated or out of order, through the example feeds ingest.yaml and
// telemetry.yaml: PostgreSQL, MQTT and the blobs have each reading, and nothing
// else, and the accounts say what became of each batch.
func TestIngest(t *testing.T) {
	t.Parallel() // while others wait
	n := *ingested
	vhost, broker, container, db := testenv.RabbitMQ(t), testenv.Mosquitto(t), testenv.Azurite(t), testenv.PostgreSQL(t)
	env := append(ingestEnv(vhost.URL(), db), "MQTT_URL="+broker.URL(), "AZURE_STORAGE_CONNECTION_STRING="+container.ConnectionString())
	telemetry := newExample(t, "telemetry.yaml", env, "container: telemetry", "container: "+container.ContainerName, "maxDelay: 1m", "maxDelay: 2s")
	telemetry.start()
	telemetry.ready()
	ingest := newExample(t, "ingest.yaml", env)
	ingest.start()
	ingest.ready()
	mqtt := witness.NewContents()
	subscriber, err := witness.Subscribe(t.Context(), broker.URL(), "kraft/#", mqtt)
	if err != nil {
		t.Fatal(err)
	}

	start := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)
	var chaos simulate.Chaos
	if err := chaos.ParseChaos("within=3,corrupt=1%,duplicate=2%,reorder=2%"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	sent := sendBatches(t, vhost.URL(), plantOf(n, start, 0, chaos), nil)
	truth := contentsOf(t, plantOf(n, start, 0, chaos.ClocksOnly()))
	if truth.Distinct() != n {
		t.Fatalf("the truth has %d readings, want %d", truth.Distinct(), n)
	}
	testenv.Eventually(t, 10*time.Minute, "all batches to be ingested", func() bool {
		s, err := ingest.status()
		return err == nil && received(s, "ingest") >= sent.Messages && s.Routes[0].Deliveries.InFlight == 0
	})
	single := account(t, ingest, "ingest").Produced.Delivered
	testenv.Eventually(t, 10*time.Minute, "everything to be handed on", func() bool {
		s, err := telemetry.status()
		if err != nil {
			return false
		}
		for _, r := range s.Routes {
			if r.Deliveries.Delivered < single || r.Deliveries.InFlight > 0 {
				return false
			}
		}
		return true
	})
	t.Logf("%d readings in %v, sent as %+v", n, time.Since(begin).Round(time.Millisecond), sent)

	r := account(t, ingest, "ingest")
	if q := feed.Total(r.Deliveries.Quarantined); q != sent.Corrupt() || r.Deliveries.Delivered != sent.Messages-sent.Corrupt() {
		t.Errorf("ingest: %+v, but %d of %d batches were damaged", r.Deliveries, sent.Corrupt(), sent.Messages)
	}
	if sent.Corrupt() == 0 || sent.Duplicates == 0 || sent.Reordered == 0 {
		t.Errorf("nothing went wrong: %+v", sent)
	}
	for _, p := range []*feedProcess{ingest, telemetry} {
		p.checkAccounts()
		if code, took := p.terminate(); code != 0 {
			t.Errorf("exit code %d after %v", code, took)
		}
	}
	if err := subscriber.Close(); err != nil {
		t.Error(err)
	}
	blobs := witness.NewContents()
	if _, err := witness.ReadContainer(t.Context(), container.ConnectionString(), container.ContainerName, blobs); err != nil {
		t.Fatal(err)
	}
	for place, arrived := range map[string]*witness.Contents{"MQTT": mqtt, "blobs": blobs, "PostgreSQL": rowsOf(t, db, "telemetry")} {
		d := witness.Differ(truth, arrived)
		t.Logf("%s: %+v", place, d)
		if !d.Equal() || place == "PostgreSQL" && d.Repeated > 0 {
			t.Errorf("%s is not what the devices have sent: %+v", place, d)
		}
	}
}

// newExample is a feed of an example with an admin server.
func newExample(t *testing.T, file string, env []string, replace ...string) *feedProcess {
	t.Helper()
	admin := cmp.Or(map[string]string{"ingest.yaml": `":9091"`, "history.yaml": `":9092"`}[file], `":9090"`)
	lines := example(t, "feeds/"+file, append(replace, "/var/lib/feed", t.TempDir(), admin, "ADMIN")...)
	return newFeed(t, strings.Join(lines, "\n")+"\n", env...)
}

func account(t *testing.T, p *feedProcess, route string) feed.RouteStatus {
	t.Helper()
	s, err := p.status()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Routes {
		if r.Name == route {
			return r
		}
	}
	t.Fatalf("there is no route %s", route)
	return feed.RouteStatus{}
}

// sendBatches has a feed of its own send what simulated devices make, and
// returns what that was. Without permits, each for a batch, nothing waits.
func sendBatches(t *testing.T, amqpURL string, c simulate.Config, permits <-chan struct{}) simulate.Report {
	t.Helper()
	s := simulator(t, c)
	to := amqp.DefaultSinkConfig()
	to.URL, to.Exchange, to.Declare = feed.NewURL(amqpURL), "devices", &amqp.Exchange{Name: "devices", Type: "topic"}
	sink, err := amqp.NewSink(to, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := feed.New(feed.Options{Name: "factory"}, feed.Route{
		Name: "batches", Source: s, Sink: gate{sink, permits}, Batch: feed.BatchLimits{MaxMessages: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.Report()
}

// gate is a sink that asks for a permit before each message.
type gate struct {
	*amqp.Sink
	permits <-chan struct{} // nil permits all
}

func (g gate) PublishBatch(ctx context.Context, b *feed.Batch) error {
	for range b.Messages {
		if g.permits == nil {
			break
		}
		select {
		case <-g.permits:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return g.Sink.PublishBatch(ctx, b)
}

func simulator(t *testing.T, c simulate.Config) *simulate.Source {
	t.Helper()
	s, err := simulate.NewSource(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// contentsOf returns what devices have to say.
func contentsOf(t *testing.T, c simulate.Config) *witness.Contents {
	t.Helper()
	s := simulator(t, c)
	defer s.Close()
	sub, err := s.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	all := witness.NewContents()
	var ds []feed.Delivery
	var rs []reading.Reading
	for {
		ds, err = sub.Receive(t.Context(), ds[:0], 100)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		var done []feed.Settlement
		for _, d := range ds {
			b, err := batch.Parse(d.Message.Payload, batch.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if rs, err = b.Decode(batch.All(), rs[:0], batch.Limits{}); err != nil {
				t.Fatal(err)
			}
			for i := range rs {
				all.Add(rs[i])
			}
			done = append(done, feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered})
		}
		if err := sub.Settle(t.Context(), done); err != nil {
			t.Fatal(err)
		}
	}
}

// rowsOf reads all rows.
func rowsOf(t *testing.T, db *testenv.Database, schema string) *witness.Contents {
	t.Helper()
	c := postgres.DefaultConfig()
	c.URL, c.Schema = feed.NewURL(db.URL()), schema
	r, err := postgres.OpenReader(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := witness.NewContents()
	for row, err := range r.Readings(t.Context(), postgres.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all.Add(row)
	}
	conn, err := pgx.Connect(t.Context(), db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // read only
	var rows int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+schema+".readings").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if rows != all.Distinct() {
		t.Errorf("the view has %d rows, the reader %d", rows, all.Distinct())
	}
	return all
}
