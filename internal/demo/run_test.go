package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/stages"
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

func demonstrate(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantComplete demands that everything arrived, without repetition.
func wantComplete(t *testing.T, r *Report, source string, routes int) {
	t.Helper()
	if !r.Complete || r.Source != source || r.Published == 0 || len(r.Routes) != routes {
		t.Errorf("report %+v", r)
	}
	for _, v := range []struct{ duplicates, disordered, arrived uint64 }{
		{r.MQTT.Duplicates, r.MQTT.Disordered, r.MQTT.Arrived}, {r.Blobs.Duplicates, r.Blobs.Disordered, r.Blobs.Arrived},
	} {
		if v.duplicates != 0 || v.disordered != 0 || v.arrived != r.Published {
			t.Errorf("published %d, %+v", r.Published, v)
		}
	}
}

func TestWithoutRabbitMQ(t *testing.T) {
	o, log := options(t)
	o.AMQP = ""
	o.startRabbitMQ = func(context.Context, string) (string, io.Closer, error) { return "", nil, errNoRabbitMQ }
	wantComplete(t, demonstrate(t, o), sourceGenerator, 1)
	for _, hint := range []string{"apt-get install rabbitmq-server", "docker compose -f deploy/compose.yaml"} {
		if !strings.Contains(log.String(), hint) {
			t.Errorf("does not say %q", hint)
		}
	}
}

func TestAsFastAsPossible(t *testing.T) {
	o, _ := options(t)
	o.Rate = 0
	wantComplete(t, demonstrate(t, o), sourceGenerator, 1)
}

func TestStopEndsPublishing(t *testing.T) {
	o, _ := options(t)
	stop := make(chan struct{})
	o.For, o.Stop = time.Hour, stop
	timer := time.AfterFunc(700*time.Millisecond, func() { close(stop) })
	defer timer.Stop()
	r := demonstrate(t, o)
	wantComplete(t, r, sourceGenerator, 1)
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
	o.Dir = filepath.Join(t.TempDir(), "new")
	r := demonstrate(t, o)
	for _, name := range []string{fileName, logName, blobsName} {
		if _, err := os.Stat(filepath.Join(o.Dir, name)); err != nil {
			t.Error(err)
		}
	}
	// What is kept is a feed.yaml that can be run.
	if _, err := config.Load(r.File, o.Registry); err != nil {
		t.Error(err)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a directory that is in use: %v", err)
	}
}

// forgetful is an MQTT sink with a planted bug: it takes one message for
// delivered that it never sent.
type forgetful struct {
	*mqtt.Sink
	once sync.Once
}

func (f *forgetful) PublishBatch(ctx context.Context, b *feed.Batch) error {
	f.once.Do(func() { b = feed.NewBatch(b.Messages[1:]...) })
	return f.Sink.PublishBatch(ctx, b)
}

func withForgetfulSink() []feed.Factory {
	factories := slices.DeleteFunc(stages.All(), func(f feed.Factory) bool { return f.Kind == feed.KindSink && f.Name == "mqtt" })
	return append(factories, feed.SinkFactory("mqtt", "Forgets a message.", mqtt.DefaultConfig, func(c mqtt.Config, env feed.StageEnv) (*forgetful, error) {
		s, err := mqtt.NewSink(c, env)
		return &forgetful{Sink: s}, err
	}))
}

func TestPlantedLossIsFound(t *testing.T) {
	o, _ := options(t, withForgetfulSink()...)
	r := demonstrate(t, o)
	if r.Complete || r.MQTT.Missing != 1 || r.Blobs.Missing != 0 {
		t.Fatalf("report %+v", r)
	}
	if want := "MQTT: missing 1 reading: device0001/1"; !slices.Contains(r.Problems, want) {
		t.Errorf("problems %q, want %q among them", r.Problems, want)
	}
	if !r.Routes[0].Balances {
		t.Error("the feed's own account shows the loss: then the witness was not needed")
	}
}

func TestWrongOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"for":     func(o *Options) { o.For = 0 },
		"rate":    func(o *Options) { o.Rate = -1 },
		"devices": func(o *Options) { o.Devices = 0 },
		"amqp":    func(o *Options) { o.AMQP = "http://user:canary@localhost" },
		"nobody":  func(o *Options) { o.AMQP = "amqp://user:canary@127.0.0.1:1/" },
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
	wantComplete(t, demonstrate(t, o), sourceRabbitMQ, 2)
	var queues, exchanges []struct{ Name string }
	vhost.Do(t, "GET", "/queues/"+vhost.Vhost, nil, &queues)
	vhost.Do(t, "GET", "/exchanges/"+vhost.Vhost, nil, &exchanges)
	for _, x := range append(queues, exchanges...) {
		if strings.Contains(x.Name, "demo") {
			t.Errorf("%s is left behind", x.Name)
		}
	}
}

// TestPlantedLossWithRabbitMQ finds a message that the sink forgot after it
// was acknowledged to RabbitMQ.
func TestPlantedLossWithRabbitMQ(t *testing.T) {
	vhost := testenv.RabbitMQ(t)
	o, _ := options(t, withForgetfulSink()...)
	o.AMQP = vhost.URL()
	if r := demonstrate(t, o); r.Complete || r.MQTT.Missing != 1 || len(r.MQTT.FirstMissing) != 1 {
		t.Errorf("report %+v", r)
	}
}

// TestPrivateRabbitMQ holds the whole demo, as a newcomer does.
func TestPrivateRabbitMQ(t *testing.T) {
	testenv.RabbitMQ(t) // fails or skips where there is no server
	o, log := options(t)
	o.AMQP, o.For = "", 3*time.Second
	r := demonstrate(t, o)
	wantComplete(t, r, sourceRabbitMQ, 2)
	if strings.Contains(log.String(), "No RabbitMQ on this machine") {
		t.Error("RabbitMQ was not found")
	}
}
