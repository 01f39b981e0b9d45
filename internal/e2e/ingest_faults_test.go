package e2e_test

import (
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

// TestIngestSurvives has batches ingested while PostgreSQL is killed and runs out
// of disk, RabbitMQ raises a memory alarm, and the feed is killed: each reading is
// one row, and in the telemetry exchange at least once.
func TestIngestSurvives(t *testing.T) {
	t.Parallel() // it waits most of the time
	const n = 60_000
	node, db := testenv.PrivateRabbitMQ(t), testenv.PrivatePostgreSQL(t)
	disk := db.TinyDisk(256 << 20)
	ingest := newExample(t, "ingest.yaml", ingestEnv(node.URL(), &db.Database),
		"declare: {name: telemetry, type: topic}", "declare: {name: telemetry, type: topic}\n            confirmTimeout: 5s",
		"retention: 2160h # 90 days", "timeout: 5s", "maxMessages: 10000", "maxMessages: 2000",
	)
	out := queueOf(t, node.URL(), "telemetry")
	ingest.start()
	ingest.ready()

	start := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)
	// Batches, 76 in all, are let go some at a time, so that there is something to
	// do whenever something is wrong.
	permits := make(chan struct{}, n)
	letGo := func() {
		for range 15 {
			permits <- struct{}{}
		}
	}
	sent := make(chan uint64, 1)
	go func() {
		sent <- sendBatches(t, node.URL(), plantOf(n, start, 0, simulate.Chaos{Within: 3}), permits).Messages
	}()
	settled := func(least uint64) {
		t.Helper()
		testenv.Eventually(t, 2*time.Minute, "more batches to be settled", func() bool {
			s, err := ingest.status()
			return err == nil && s.Routes[0].Deliveries.Delivered >= least
		})
	}
	stuck := func(reason, why string) {
		t.Helper()
		testenv.Eventually(t, time.Minute, why, func() bool {
			s, err := ingest.status()
			return err == nil && s.Routes[0].State != feed.StateRunning && strings.Contains(s.Routes[0].Reason, reason)
		})
	}
	letGo()
	settled(5)
	db.Kill()
	letGo()
	stuck("store", "the route to notice that PostgreSQL is gone")
	db.Start()
	settled(20)
	disk.Fill(0)
	letGo()
	stuck("No space left", "the route to notice that the disk is full")
	node.SetMemoryAlarm(true)
	disk.Free()
	stuck("publisher", "the route to notice that RabbitMQ takes nothing")
	node.SetMemoryAlarm(false)
	settled(40)
	close(permits)
	settled(50)
	ingest.kill()
	ingest.start()
	messages := <-sent
	testenv.Eventually(t, 3*time.Minute, "all batches to be acknowledged", func() bool {
		m, unacked, err := node.Queue("batches")
		return err == nil && m == 0 && unacked == 0
	})
	t.Logf("%d batches", messages)
	ingest.checkAccounts()
	if code, took := ingest.terminate(); code != 0 {
		t.Errorf("exit code %d after %v", code, took)
	}
	truth := contentsOf(t, plantOf(n, start, 0, simulate.Chaos{Within: 3}))
	for place, arrived := range map[string]*witness.Contents{"PostgreSQL": rowsOf(t, &db.Database, "telemetry"), "the exchange": out()} {
		d := witness.Differ(truth, arrived)
		t.Logf("%s: %+v", place, d)
		if !d.Equal() || place == "PostgreSQL" && d.Repeated > 0 {
			t.Errorf("%s is not what the devices have sent: %+v", place, d)
		}
	}
}

// TestHistoryExample runs the way to PostgreSQL alone.
func TestHistoryExample(t *testing.T) {
	t.Parallel() // it waits most of the time
	const n = 5000
	vhost, db := testenv.RabbitMQ(t), testenv.PostgreSQL(t)
	p := newExample(t, "history.yaml", ingestEnv(vhost.URL(), db))
	p.start()
	p.ready()
	start := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)
	sendBatches(t, vhost.URL(), plantOf(n, start, 0, simulate.Chaos{Within: 3}), nil)
	testenv.Eventually(t, time.Minute, "all readings to be stored", func() bool {
		s, err := p.status()
		return err == nil && s.Routes[0].Produced.Delivered >= n
	})
	p.checkAccounts()
	if code, took := p.terminate(); code != 0 {
		t.Errorf("exit code %d after %v", code, took)
	}
	if d := witness.Differ(contentsOf(t, plantOf(n, start, 0, simulate.Chaos{Within: 3})), rowsOf(t, db, "history")); !d.Equal() || d.Repeated > 0 {
		t.Errorf("PostgreSQL is not what the devices have sent: %+v", d)
	}
}

// ingestEnv is the environment of an example that reads from RabbitMQ and writes
// to PostgreSQL.
func ingestEnv(amqpURL string, db *testenv.Database) []string {
	return []string{"AMQP_URL=" + amqpURL, "POSTGRES_URL=" + strings.Replace(db.URL(), ":"+db.Password+"@", "@", 1), "POSTGRES_PASSWORD=" + db.Password}
}

// queueOf binds a queue to all of an exchange, which it declares, and returns
// what reads all that is in it then.
func queueOf(t *testing.T, url, exchange string) (read func() *witness.Contents) {
	t.Helper()
	declareExchange(t, url, exchange)
	const name = "witness"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	onChannel := func(f func(*amqp091.Channel)) {
		t.Helper()
		conn, err := amqp091.Dial(url)
		must(err)
		defer conn.Close() //nolint:errcheck // all is done
		ch, err := conn.Channel()
		must(err)
		f(ch)
	}
	testenv.DeclareQueue(t, url, name, "quorum", nil)
	onChannel(func(ch *amqp091.Channel) {
		must(ch.QueueBind(name, "#", exchange, false, nil))
	})
	return func() *witness.Contents {
		t.Helper()
		all := witness.NewContents()
		onChannel(func(ch *amqp091.Channel) {
			q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
			must(err)
			ds, err := ch.Consume(name, "", true, true, false, false, nil)
			must(err)
			for range q.Messages {
				select {
				case d := <-ds:
					all.AddJSON(d.Body)
				case <-time.After(time.Minute):
					t.Fatal("the queue has fewer messages than it said")
				}
			}
		})
		return all
	}
}
