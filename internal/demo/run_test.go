package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/stages"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/mqtt"
)

// buffer is a log that the demo writes while the test may read it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// options are those of a short demo. Its temporary directories are below one
// that must be empty when the test ends.
func options(t *testing.T, factories ...feed.Factory) (Options, *buffer) {
	t.Helper()
	if factories == nil {
		factories = stages.All()
	}
	registry, err := feed.NewRegistry(factories...)
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Cleanup(func() {
		left, err := os.ReadDir(temp)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	log := &buffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return Options{Registry: registry, For: time.Second, AMQP: Off, Rate: 2000, Devices: 20, Progress: log}, log
}

// vouched is long enough for the cloud API to vouch for a second and more: it
// waits for the slowest of the devices.
const vouched = 4 * time.Second

func demonstrate(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantComplete demands that everything arrived, and that the figures of the hops
// fit together.
func wantComplete(t *testing.T, r *Report, source string, routes ...string) {
	t.Helper()
	if !r.Complete || r.Source != source || r.Devices.Readings == 0 || r.API.Readings != r.Devices.Readings {
		t.Fatalf("report %+v", r)
	}
	if v := r.Validation; v != nil && v.Outcome != validate.Proven {
		t.Errorf("validation %+v", v)
	}
	var names []string
	for _, a := range r.Routes {
		names = append(names, a.Name)
	}
	if !slices.Equal(names, routes) {
		t.Errorf("routes %q, want %q", names, routes)
	}
	ingest := r.Routes[slices.Index(routes, routeTruth)-1]
	if source == sourceRabbitMQ {
		ingest = r.Routes[slices.Index(routes, routeIngest)]
		if sent := r.Routes[0].Deliveries.Delivered; ingest.Deliveries.Received != sent {
			t.Errorf("ingest received %d batches, %d were sent", ingest.Deliveries.Received, sent)
		}
	}
	if d := ingest.Deliveries; d.Received != r.Devices.Messages || feed.Total(d.Quarantined) != r.Devices.Corrupt() {
		t.Errorf("ingest: %+v, the devices: %+v", d, r.Devices)
	}
	var stand uint64
	for reason, n := range r.Quarantine {
		if stand += n; reason == "other" {
			t.Errorf("quarantine: %v", r.Quarantine)
		}
	}
	if stand != r.Devices.Corrupt() {
		t.Errorf("quarantine: %v, the devices: %+v", r.Quarantine, r.Devices)
	}
	for name, c := range map[string]Comparison{"MQTT": r.MQTT, "blobs": r.Blobs.Comparison} {
		if c.Arrived != r.API.Readings || c.Arrived+c.Duplicates != ingest.Produced.Delivered {
			t.Errorf("%s: %+v, but %d readings were made", name, c, ingest.Produced.Delivered)
		}
	}
}

func TestWithoutRabbitMQ(t *testing.T) {
	o, log := options(t)
	o.AMQP = ""
	o.startRabbitMQ = func(context.Context, string) (string, io.Closer, error) { return "", nil, errNoRabbitMQ }
	wantComplete(t, demonstrate(t, o), sourceProcess, routeDirect, routeTruth)
	for _, hint := range []string{"apt-get install rabbitmq-server", "docker compose -f deploy/compose.yaml"} {
		if !strings.Contains(log.String(), hint) {
			t.Errorf("does not say %q", hint)
		}
	}
}

func TestAsFastAsPossible(t *testing.T) {
	o, _ := options(t)
	o.Rate, o.For = 0, 300*time.Millisecond
	r := demonstrate(t, o)
	wantComplete(t, r, sourceProcess, routeDirect, routeTruth)
	if d := r.Devices; d.Corrupt()+d.Duplicates+d.Reordered == 0 {
		t.Errorf("nothing went wrong: %+v", d)
	}
}

func TestStopEndsPublishing(t *testing.T) {
	o, _ := options(t)
	stop := make(chan struct{})
	o.For, o.Stop = time.Hour, stop
	o.Progress = whenSent(o.Progress, func() { close(stop) })
	r := demonstrate(t, o)
	wantComplete(t, r, sourceProcess, routeDirect, routeTruth)
}

// whenSent calls then once the demo says, to w, that something was sent.
func whenSent(w io.Writer, then func()) io.Writer {
	return &sentWatch{Writer: w, then: sync.OnceFunc(then)}
}

type sentWatch struct {
	io.Writer
	then func()
}

var somethingSent = regexp.MustCompile(`: sent [1-9]`)

func (s *sentWatch) Write(p []byte) (int, error) {
	if somethingSent.Match(p) {
		s.then()
	}
	return s.Writer.Write(p)
}

// TestEndAtOnce ends the demo while devices still send: it judges nothing.
func TestEndAtOnce(t *testing.T) {
	o, _ := options(t)
	o.For = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Progress = whenSent(o.Progress, cancel)
	if r, err := Run(ctx, o); !errors.Is(err, errUncompared) || r != nil {
		t.Errorf("report %v, error %v", r, err)
	}
}

func TestStopDuringStart(t *testing.T) {
	o, _ := options(t)
	stop := make(chan struct{})
	o.AMQP, o.Stop = "", stop
	o.startRabbitMQ = func(ctx context.Context, _ string) (string, io.Closer, error) {
		close(stop)
		<-ctx.Done()
		return "", nil, ctx.Err()
	}
	if r, err := Run(t.Context(), o); !errors.Is(err, ErrStopped) || r != nil {
		t.Errorf("report %v, error %v", r, err)
	}
}

func TestDirIsKept(t *testing.T) {
	o, _ := options(t)
	o.Dir, o.For = filepath.Join(t.TempDir(), "new"), vouched
	r := demonstrate(t, o)
	for _, name := range []string{fileName, devicesName, logName, blobsName, apiName, pageName} {
		if _, err := os.Stat(filepath.Join(o.Dir, name)); err != nil {
			t.Error(err)
		}
	}
	if v := r.Validation; v == nil || v.Outcome != validate.Proven || v.Counts.Matched == 0 || v.Page != filepath.Join(o.Dir, pageName) {
		t.Errorf("validation %+v", v)
	}
	// What is kept are feeds that can be run.
	for _, path := range r.Files {
		if _, err := config.Load(path, o.Registry); err != nil {
			t.Error(err)
		}
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a directory that is in use: %v", err)
	}
}

// batchSink is a sink that takes batches.
type batchSink interface {
	message.Publisher
	feed.BatchPublisher
}

// faulty is a sink with a planted bug: it takes one batch for delivered that it
// has changed.
type faulty struct {
	batchSink
	once   sync.Once
	change func(*feed.Batch) *feed.Batch
}

func (f *faulty) PublishBatch(ctx context.Context, b *feed.Batch) error {
	f.once.Do(func() { b = f.change(b) })
	return f.batchSink.PublishBatch(ctx, b)
}

// forget leaves out the first message.
func forget(b *feed.Batch) *feed.Batch { return feed.NewBatch(b.Messages[1:]...) }

// alter changes the quality of the first reading.
func alter(b *feed.Batch) *feed.Batch {
	changed := b.Messages[0].Copy()
	changed.Payload = []byte(strings.NewReplacer(`"good"`, `"bad"`, `"bad"`, `"good"`, `"uncertain"`, `"good"`).Replace(string(changed.Payload)))
	return feed.NewBatch(append([]*message.Message{changed}, b.Messages[1:]...)...)
}

// withFaulty returns the stages with a bug in the sink of a name, on one route.
func withFaulty(name, route string, change func(*feed.Batch) *feed.Batch) []feed.Factory {
	factories := slices.DeleteFunc(stages.All(), func(f feed.Factory) bool { return f.Kind == feed.KindSink && f.Name == name })
	plant := func(s batchSink, env feed.StageEnv) batchSink {
		if env.Route != route {
			return s
		}
		return &faulty{batchSink: s, change: change}
	}
	if name == "amqp" {
		return append(factories, feed.SinkFactory(name, "Loses.", amqp.DefaultSinkConfig, func(c amqp.SinkConfig, env feed.StageEnv) (batchSink, error) {
			s, err := amqp.NewSink(c, env)
			if err != nil {
				return nil, err
			}
			return plant(s, env), nil
		}))
	}
	return append(factories, feed.SinkFactory(name, "Loses.", mqtt.DefaultConfig, func(c mqtt.Config, env feed.StageEnv) (batchSink, error) {
		s, err := mqtt.NewSink(c, env)
		if err != nil {
			return nil, err
		}
		return plant(s, env), nil
	}))
}

// wantMissing demands that one reading is missing at some places, and is named, and
// that the accounts of the feeds show nothing of it: else no comparison was needed.
func wantMissing(t *testing.T, r *Report, mqtt, blobs uint64) {
	t.Helper()
	if r.Complete || r.MQTT.Missing != mqtt || r.Blobs.Missing != blobs {
		t.Fatalf("report %+v", r)
	}
	for where, c := range map[string]Comparison{"MQTT": r.MQTT, "blobs": r.Blobs.Comparison} {
		if c.Missing == 0 {
			continue
		}
		if want := where + ": missing 1 reading: " + c.FirstMissing[0]; !slices.Contains(r.Problems, want) {
			t.Errorf("problems %q, want %q among them", r.Problems, want)
		}
	}
	if v := r.Validation; v == nil || v.Counts.Missing != int64(blobs) || (v.Outcome == validate.Proven) != (blobs == 0) {
		t.Errorf("validation %+v", v)
	}
	for _, a := range r.Routes {
		if !a.Balances {
			t.Errorf("the account of the feed shows the loss: %+v", a)
		}
	}
}

func TestPlantedLossIsFound(t *testing.T) {
	o, _ := options(t, withFaulty("mqtt", routeDirect, forget)...)
	o.For = vouched
	wantMissing(t, demonstrate(t, o), 1, 0)
}

func TestPlantedChangeIsFound(t *testing.T) {
	o, _ := options(t, withFaulty("mqtt", routeDirect, alter)...)
	r := demonstrate(t, o)
	if r.Complete || r.MQTT.Altered != 1 || len(r.MQTT.FirstAltered) != 1 {
		t.Fatalf("report %+v", r)
	}
	if want := "MQTT: not what the cloud API serves, 1 reading: " + r.MQTT.FirstAltered[0]; !slices.Contains(r.Problems, want) {
		t.Errorf("problems %q, want %q among them", r.Problems, want)
	}
}

func TestWrongOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"for":         func(o *Options) { o.For = 0 },
		"rate":        func(o *Options) { o.Rate = -1 },
		"devices":     func(o *Options) { o.Devices = 0 },
		"amqp":        func(o *Options) { o.AMQP = "http://user:canary@localhost" },
		"postgres":    func(o *Options) { o.Postgres = "http://user:canary@localhost" },
		"no database": func(o *Options) { o.Postgres = "postgres://user:canary@127.0.0.1:1/plant" },
		"nobody":      func(o *Options) { o.AMQP = "amqp://user:canary@127.0.0.1:1/" },
	} {
		t.Run(name, func(t *testing.T) {
			o, log := options(t)
			change(&o)
			_, err := Run(t.Context(), o)
			if err == nil || strings.Contains(err.Error()+log.String(), "canary") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestSharedRabbitMQ uses a node that is given, and leaves nothing in it.
func TestSharedRabbitMQ(t *testing.T) {
	vhost := testenv.RabbitMQ(t)
	o, _ := options(t)
	o.AMQP, o.For = vhost.URL(), 2*time.Second
	wantComplete(t, demonstrate(t, o), sourceRabbitMQ, routeDevices, routeIngest, routeMQTT, routeArchive, routeTruth)
	var queues, exchanges []struct{ Name string }
	vhost.Do(t, "GET", "/queues/"+vhost.Vhost, nil, &queues)
	vhost.Do(t, "GET", "/exchanges/"+vhost.Vhost, nil, &exchanges)
	for _, x := range append(queues, exchanges...) {
		if strings.Contains(x.Name, "demo") {
			t.Errorf("%s is left behind", x.Name)
		}
	}
}

// TestPlantedLossWithRabbitMQ finds a reading that was forgotten after its batch
// was acknowledged to RabbitMQ, wherever that happens.
func TestPlantedLossWithRabbitMQ(t *testing.T) {
	vhost := testenv.RabbitMQ(t)
	for _, plant := range []struct {
		sink, route string
		blobs       uint64
	}{{"mqtt", routeMQTT, 0}, {"amqp", routeIngest, 1}} {
		t.Run(plant.route, func(t *testing.T) {
			o, _ := options(t, withFaulty(plant.sink, plant.route, forget)...)
			o.AMQP, o.For = vhost.URL(), vouched
			wantMissing(t, demonstrate(t, o), 1, plant.blobs)
		})
	}
}

// TestPostgreSQL has the readings stored, too, and leaves nothing behind.
func TestPostgreSQL(t *testing.T) {
	vhost, db := testenv.RabbitMQ(t), testenv.PostgreSQL(t)
	for source, demo := range map[string]struct {
		amqp   string
		routes []string
	}{
		sourceRabbitMQ: {vhost.URL(), []string{routeDevices, routeIngest, routeMQTT, routeArchive, routeTruth}},
		sourceProcess:  {Off, []string{routeDirect, routeTruth}},
	} {
		t.Run(source, func(t *testing.T) {
			o, _ := options(t)
			o.AMQP, o.Postgres = demo.amqp, db.URL()
			r := demonstrate(t, o)
			wantComplete(t, r, source, demo.routes...)
			if c := r.PostgreSQL; c == nil || c.Arrived != r.API.Readings || c.Duplicates != 0 {
				t.Errorf("PostgreSQL: %+v", c)
			}
		})
	}
	conn, err := pgx.Connect(t.Context(), db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) //nolint:errcheck // read only
	var left int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE 'feed_demo%'").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d schemas are left behind, %v", left, err)
	}
}

// TestPrivateRabbitMQ holds the whole demo, as a newcomer does.
func TestPrivateRabbitMQ(t *testing.T) {
	testenv.RabbitMQ(t) // fails or skips where there is no server
	o, log := options(t)
	o.AMQP, o.For = "", 3*time.Second
	r := demonstrate(t, o)
	wantComplete(t, r, sourceRabbitMQ, routeDevices, routeIngest, routeMQTT, routeArchive, routeTruth)
	if strings.Contains(log.String(), "No RabbitMQ on this machine") {
		t.Error("RabbitMQ was not found")
	}
}
