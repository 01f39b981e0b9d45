package capacity

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/eclipse/paho.golang/paho"
	"github.com/jackc/pgx/v5"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/mqtt"
	"github.com/kraft-edge/datafeed/stages/postgres"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// measuredMessages is how many messages each place gets: enough that what is
// preallocated weighs little.
const measuredMessages = 60_000

// readings returns readings as unbatch makes messages of them, and the bytes of
// their payloads.
func readings(n int) (msgs []*message.Message, payloads int) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range n {
		r := reading.Reading{
			Site: "north", Line: "line2", Device: fmt.Sprintf("robot%04d", i%50), Tag: fmt.Sprintf("temperature%d", i%16),
			Time: noon.Add(time.Duration(i) * time.Millisecond).UnixNano(), Value: reading.OfFloat(float64(2000+i%977) / 100),
			Quality: "good", Seq: uint64(i),
		}
		m := message.NewMessage(fmt.Sprintf("%s/%d/3755612d1cb0033f/%d", r.Device, i/1000, i%1000), r.AppendJSON(nil))
		m.Metadata = message.Metadata{
			feed.MetaTopic: string(r.AppendRoutingKey(nil)), feed.MetaTime: string(r.AppendTime(nil)), feed.MetaContentType: "application/json",
		}
		msgs, payloads = append(msgs, m), payloads+len(m.Payload)
	}
	return msgs, payloads
}

// overhead says what one message takes beside its payload, and that the constant
// covers it without being far from it.
func overhead(t *testing.T, place string, disk int64, messages, payloads int, constant float64) {
	t.Helper()
	got := (float64(disk) - float64(payloads)) / float64(messages)
	t.Logf("%-28s %6.1f bytes a message beside a payload of %.1f (%d messages, %d bytes of disk)", place, got, float64(payloads)/float64(messages), messages, disk)
	if got > constant || got < constant/2 {
		t.Errorf("%s: a message takes %.1f bytes beside its payload, and %.0f are reckoned with: set the constant somewhat above what is measured", place, got, constant)
	}
}

// diskUsage returns the bytes of disk that the files take whose path fits.
func diskUsage(t *testing.T, dir string, fits func(path string) bool) (bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) { // the server has removed it meanwhile
			return nil
		}
		if err != nil || e.IsDir() || !fits(path) {
			return err
		}
		info, err := e.Info()
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		bytes += max(info.Size(), info.Sys().(*syscall.Stat_t).Blocks*512)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// TestRabbitMQMessages measures what a reading takes in a queue of each type.
func TestRabbitMQMessages(t *testing.T) {
	// With a small write-ahead log nearly all of it is in segments at the end.
	node := testenv.PrivateRabbitMQ(t, testenv.WithRabbitMQSettings("raft.wal_max_size_bytes = 1048576"))
	data, err := strconv.Unquote(strings.TrimSpace(node.Ctl("eval", "rabbit_mnesia:dir().")))
	if err != nil {
		t.Fatal(err)
	}
	msgs, payloads := readings(measuredMessages)
	conn, err := amqp091.Dial(node.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []struct {
		name     string
		within   string
		overhead float64
	}{
		{"quorum", "/quorum/", quorumOverhead},
		{"stream", "/stream/", streamOverhead},
		{"classic", "/msg_stores/", classicOverhead},
	} {
		of := func(path string) bool { return strings.Contains(path, kind.within) && !strings.HasSuffix(path, ".wal") }
		before := diskUsage(t, data, of)
		testenv.DeclareQueue(t, node.URL(), kind.name, kind.name, nil)
		if err := ch.ExchangeDeclare("telemetry-"+kind.name, "topic", true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if err := ch.QueueBind(kind.name, "telemetry.#", "telemetry-"+kind.name, false, nil); err != nil {
			t.Fatal(err)
		}
		config := amqp.DefaultSinkConfig()
		config.URL, config.Exchange = feed.NewURL(node.URL()), "telemetry-"+kind.name
		sink, err := amqp.NewSink(config, feed.StageEnv{Feed: "capacity", Route: kind.name, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(msgs); i += 5000 {
			if err := sink.PublishBatch(t.Context(), feed.NewBatch(msgs[i:i+5000]...)); err != nil {
				t.Fatal(err)
			}
		}
		if err := sink.Close(); err != nil {
			t.Fatal(err)
		}
		var disk int64
		testenv.Eventually(t, time.Minute, "the disk usage to stand still", func() bool {
			last := disk
			disk = diskUsage(t, data, of) - before
			return disk == last && disk > int64(payloads)*9/10
		})
		overhead(t, "RabbitMQ, "+kind.name, disk, len(msgs), payloads, kind.overhead)
	}
}

// TestMosquittoMessages measures what a reading takes in the database of a
// broker whose subscriber is away.
func TestMosquittoMessages(t *testing.T) {
	// The broker's own directory is not ours to know: a path that leads out of any leads to one that is.
	file := filepath.Join(t.TempDir(), "mosquitto.db")
	broker := testenv.Mosquitto(t, testenv.WithMosquittoSettings("persistence true", "persistence_file "+strings.Repeat("../", 20)+file[1:], "max_queued_bytes 0"))
	away(t, broker.Addr)
	msgs, payloads := readings(measuredMessages)
	config := mqtt.DefaultConfig()
	config.URL = feed.NewURL(broker.URL())
	sink, err := mqtt.NewSink(config, feed.StageEnv{Feed: "capacity", Route: "mosquitto", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(msgs); i += 5000 {
		if err := sink.PublishBatch(t.Context(), feed.NewBatch(msgs[i:i+5000]...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	broker.Stop() // it writes its database
	overhead(t, "Mosquitto", diskUsage(t, filepath.Dir(file), func(string) bool { return true }), len(msgs), payloads, mosquittoOverhead)
}

// away subscribes with a session that stays, and leaves.
func away(t *testing.T, addr string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	client := paho.NewClient(paho.ClientConfig{Conn: conn})
	expiry := uint32(86400)
	if _, err := client.Connect(t.Context(), &paho.Connect{ClientID: "away", CleanStart: true, Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry}}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "#", QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
	if err := client.Disconnect(&paho.Disconnect{}); err != nil {
		t.Fatal(err)
	}
}

// TestPostgresRows measures what a reading takes in a table without TimescaleDB,
// its index included.
func TestPostgresRows(t *testing.T) {
	db := testenv.PostgreSQL(t)
	config := postgres.DefaultConfig()
	config.URL, config.MaxAge = feed.NewURL(db.URL()), 10*365*24*time.Hour
	config.Partition = 24 * time.Hour
	sink, err := postgres.NewSink(config, feed.StageEnv{Feed: "capacity", Route: "history", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	msgs, _ := readings(measuredMessages)
	for i := 0; i < len(msgs); i += 5000 {
		if err := sink.PublishBatch(t.Context(), feed.NewBatch(msgs[i:i+5000]...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var bytes int64
	if err := conn.QueryRow(t.Context(), `SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind = 'r'`, config.Schema).Scan(&bytes); err != nil {
		t.Fatal(err)
	}
	overhead(t, "PostgreSQL, a row", bytes, len(msgs), 0, postgresRow)
}

// TestQuarantineItems measures what a reading takes in a quarantine, and how much
// of that counts against its bound.
func TestQuarantineItems(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quarantine.db")
	config := quarantine.DefaultConfig()
	config.Feed, config.Path = "capacity", path
	store, err := quarantine.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	msgs, payloads := readings(measuredMessages / 6)
	var items []feed.QuarantineItem
	for _, m := range msgs {
		properties, err := amqp.EncodeProperties(amqp.Properties{
			Exchange: "telemetry", RoutingKey: m.Metadata[feed.MetaTopic], MessageID: m.UUID, ContentType: "application/json", DeliveryMode: 2, Timestamp: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, feed.QuarantineItem{
			Original: feed.Original{Payload: m.Payload, Format: "amqp-0-9-1", Properties: properties, Origin: "amqp://rabbitmq:5672/%2F/queue/telemetry-mqtt"},
			Route:    "mqtt", Stage: "bridge", Reason: "transform bridge: no rule matches " + m.Metadata[feed.MetaTopic], Time: time.Now(),
		})
	}
	for i := 0; i < len(items); i += 1000 {
		if err := store.Put(t.Context(), items[i:i+1000]); err != nil {
			t.Fatal(err)
		}
	}
	counted, err := store.Bytes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	overhead(t, "quarantine, counted", int64(counted), len(items), payloads, quarantineCounted)
	overhead(t, "quarantine, on disk", diskUsage(t, filepath.Dir(path), func(string) bool { return true }), len(items), payloads, quarantineOverhead)
}
