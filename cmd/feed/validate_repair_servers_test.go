package main

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	watermill "github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/stages/postgres"
)

// repairYAML is an archive that stores a stream exactly once, and its repair.
const repairYAML = `
admin: {address: off}
log: {level: error}
quarantine: {path: DIR/q.db}
routes:
  archive:
    source: {amqp: {url: "${AMQP_URL}", queue: batches, declare: {type: stream}}}
    transforms: [{unbatch: {cache: {path: DIR/batches.db}}}]
    sink: {blob: {connectionString: "${STORAGE}", container: CONTAINER, path: "{date}/{hour}", exactlyOnce: true}}
validate:
  expect: {cloud: {}}
  observe: {blob: {connectionString: "${STORAGE}", container: CONTAINER}}
  repair:
    route: archive
    sink: {blob: {connectionString: "${STORAGE}", container: CONTAINER, path: "repaired/{date}/{hour}/{hash}"}}
    from:
      postgres: {url: "DATABASE"}
      quarantine: {}
      amqp: {url: "${AMQP_URL}", queue: batches, declare: {type: stream}}
`

// TestValidateRepairsOnRealServers: an empty container is filled from PostgreSQL,
// from batches in the quarantine and from batches in a stream, through the transforms
// of a route whose own sink takes nothing but the stream; what is deleted there is
// sent again.
func TestValidateRepairsOnRealServers(t *testing.T) {
	const n = 90
	vhost, container, db := testenv.RabbitMQ(t), testenv.Azurite(t), testenv.PostgreSQL(t)
	t.Setenv("AMQP_URL", vhost.URL())
	t.Setenv("STORAGE", container.ConnectionString())
	p := newPlant(t, n, n)
	text := strings.NewReplacer("DIR", p.dir, "CONTAINER", container.ContainerName, "DATABASE", db.URL()).Replace(repairYAML)
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stored(t, db.URL(), 0, 30)
	p.quarantined(t, "archive", batched(t, 1, 20, 45)...)
	declareStream(t, vhost.URL(), "batches", append(batched(t, 2, 40, n-1), []byte("no batch"))...)

	code, stdout, stderr := p.validate(t, "--repair", "--dry-run", "--repair-log", "")
	// Of the quarantine are sent those that the database does not have.
	if code != exitFailure || !strings.Contains(stderr, "repair: 90 missing: 30 would be sent from postgres, 15 would be sent from quarantine, 44 would be sent from amqp, 1 nowhere at the edge\n") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = p.validate(t, "--repair")
	if code != exitFailure || !strings.Contains(stderr, "repair: 90 missing: 30 sent from postgres, 15 sent from quarantine, 44 sent from amqp, 1 nowhere at the edge\n") || !strings.Contains(stdout, "1 reading is missing") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	stored(t, db.URL(), n-1, n)
	if code, stdout, stderr = p.validate(t, "--repair"); code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if names := deleteAll(t, container); len(names) < 2 || !strings.HasPrefix(names[0], "repaired/2026-03-01/00/") {
		t.Errorf("objects %v", names)
	}
	if code, stdout, stderr = p.validate(t, "--repair"); code != exitOK || !strings.Contains(stderr, "repair: 90 missing: 31 sent from postgres, 15 sent from quarantine, 44 sent from amqp\n") {
		t.Errorf("all was deleted: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// stored has PostgreSQL hold readings.
func stored(t *testing.T, url string, from, to int) {
	t.Helper()
	c := postgres.DefaultConfig()
	c.URL = feed.NewURL(url)
	sink, err := postgres.NewSink(c, feed.StageEnv{Feed: "edge"})
	if err != nil {
		t.Fatal(err)
	}
	b := &feed.Batch{}
	for i := from; i < to; i++ {
		b.Messages = append(b.Messages, watermill.NewMessage("", payloadOf(i)))
	}
	if err := sink.PublishBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
}

// batched makes batches of readings, one for each device.
func batched(t *testing.T, sequence uint64, from, to int) (frames [][]byte) {
	t.Helper()
	devices := map[string][]reading.Reading{}
	for i := from; i < to; i++ {
		r := lost(i)
		devices[r.Device] = append(devices[r.Device], r)
	}
	for device, rs := range devices {
		frame, err := batch.Append(nil, batch.Columnar(), device, sequence, rs)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
	return frames
}

// declareStream makes a stream that holds messages.
func declareStream(t *testing.T, url, name string, payloads ...[]byte) {
	t.Helper()
	testenv.DeclareQueue(t, url, name, "stream", nil)
	ch := openChannel(t, url)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for _, payload := range payloads {
		c, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", name, true, false, amqp091.Publishing{Body: payload})
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := c.WaitContext(t.Context()); err != nil || !ok {
			t.Fatalf("confirmed %v, %v", ok, err)
		}
	}
}

// deleteAll deletes the objects of a container, and returns their names.
func deleteAll(t *testing.T, c *testenv.Container) (names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := azblob.NewClientFromConnectionString(c.ConnectionString(), &azblob.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	pager := client.NewListBlobsFlatPager(c.ContainerName, nil)
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Segment.BlobItems {
			names = append(names, *item.Name)
		}
	}
	for _, name := range names {
		if _, err := client.DeleteBlob(ctx, c.ContainerName, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	return names
}
