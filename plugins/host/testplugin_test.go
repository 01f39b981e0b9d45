package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
	"github.com/kraft-edge/datafeed/plugins"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// behaviour names the variable that tells the plugin of the tests how to be.
const behaviour = "DATAFEED_TEST_BEHAVIOUR"

// serveTestPlugin is the plugin of the tests. It transforms messages whose payloads
// are commands.
func serveTestPlugin() {
	switch how := os.Getenv(behaviour); how {
	case "future":
		serveGo(99)
	case "tcp":
		fmt.Println("1|1|tcp|127.0.0.1:1|grpc")
		forever()
	case "elsewhere":
		fmt.Println("1|1|unix|/tmp/somewhere-else|grpc")
		forever()
	case "chatty":
		fmt.Println("Hello, I am your plugin!")
		forever()
	case "silent":
		forever()
	case "stillborn":
		fmt.Fprintln(os.Stderr, "no licence found")
		os.Exit(3)
	case "deaf":
		socketOfOther()
		forever()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fallthrough
	case "other":
		serveOther()
	case "busy":
		endOnSignals()
		fallthrough
	case "stages":
		plugins.Serve("acme", "1.2.3", stamp(), counter(), file(), columnar(), memory())
	default:
		serveGo(wire.Version)
	}
}

type stampConfig struct {
	Mark string `yaml:"mark" doc:"What is put behind each payload."`
}

// Validate implements [feed.StageConfig].
func (c *stampConfig) Validate() error {
	if c.Mark == "" {
		return &feed.ConfigError{Key: "mark", Problem: "is missing", Remedy: "write a text"}
	}
	return nil
}

// stamp is a transform that puts a mark behind each payload, and obeys one that is
// a command.
func stamp() feed.Factory {
	return feed.TransformFactory("stamp", "Puts a mark behind each payload.", func() stampConfig { return stampConfig{} },
		func(c stampConfig, _ feed.StageEnv) (feed.Transform, error) {
			return feed.Transform{Func: func(m *message.Message) ([]*message.Message, error) {
				_, command, _ := strings.Cut(string(m.Payload), "!")
				obey(command)
				if busy {
					sha256.Sum256(work[:])
				}
				m.Payload = append(m.Payload, c.Mark...)
				return []*message.Message{m}, nil
			}}, nil
		})
}

type countConfig struct {
	Count int `yaml:"count" doc:"How many messages there are."`
}

// Validate implements [feed.StageConfig].
func (*countConfig) Validate() error { return nil }

// Window implements [feed.WindowConfig].
func (c *countConfig) Window() int { return c.Count }

// Reads implements [feed.EndpointConfig].
func (*countConfig) Reads() []string { return []string{"count://here"} }

// Writes implements [feed.EndpointConfig].
func (*countConfig) Writes() []string { return nil }

// counter is a source that ends.
func counter() feed.Factory {
	return feed.SourceFactory("counter", "Counts.", func() countConfig { return countConfig{} },
		func(c countConfig, _ feed.StageEnv) (*feedtest.Queue, error) {
			q := &feedtest.Queue{}
			for n := range c.Count {
				q.Put(fmt.Sprintf("n:%d", n))
			}
			q.End()
			return q, nil
		})
}

type fileConfig struct {
	Path string `yaml:"path" doc:"File that messages are put behind."`
}

// Validate implements [feed.StageConfig].
func (*fileConfig) Validate() error { return nil }

// Durable implements [feed.DurableConfig].
func (c *fileConfig) Durable() bool { return c.Path != "" }

type fileSink struct{ *os.File }

// PublishBatch implements [feed.BatchPublisher].
func (f fileSink) PublishBatch(_ context.Context, b *feed.Batch) error {
	for _, m := range b.Messages {
		if _, err := fmt.Fprintf(f, "%s\n", m.Payload); err != nil {
			return err
		}
	}
	return nil
}

// Publish implements [message.Publisher].
func (f fileSink) Publish(_ string, msgs ...*message.Message) error {
	return f.PublishBatch(context.Background(), feed.NewBatch(msgs...))
}

// file is a sink that writes payloads to a file.
func file() feed.Factory {
	return feed.SinkFactory("file", "Writes to a file.", func() fileConfig { return fileConfig{} },
		func(c fileConfig, _ feed.StageEnv) (fileSink, error) {
			f, err := os.OpenFile(c.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			return fileSink{f}, err
		})
}

type noConfig struct{}

// Validate implements [feed.StageConfig].
func (*noConfig) Validate() error { return nil }

// columnar is a codec that feed itself has.
func columnar() feed.Factory {
	codec, _ := batch.All().Lookup("columnar")
	return batch.Factory(codec.Name(), "Packs by column.", func() noConfig { return noConfig{} }, func(noConfig, feed.StageEnv) (batch.Codec, error) { return codec, nil })
}

// memory is an expectation of nothing.
func memory() feed.Factory {
	return validate.ExpectationFactory("memory", "Expects nothing.", func() noConfig { return noConfig{} },
		func(noConfig, feed.StageEnv) (*validatetest.Memory, error) {
			return &validatetest.Memory{Name: "nowhere"}, nil
		})
}

// busy says that each message takes some time.
var (
	busy bool
	work [32 << 10]byte
)

// endOnSignals has the process end by itself when it is told to.
func endOnSignals() {
	busy = true
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		if <-told == syscall.SIGUSR1 {
			obey("exit")
		}
		obey("panic")
	}()
}

// serveGo serves as plugins in Go do.
func serveGo(version int) {
	descriptors := openDescriptors()
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: map[int]goplugin.PluginSet{version: {wire.ServiceName: &servedStages{stages: &testStages{descriptors: descriptors}}}},
		GRPCServer:       goplugin.DefaultGRPCServer,
		Logger:           hclog.NewNullLogger(),
	})
}

// serveOther serves as a plugin in another language does: by hand.
func serveOther() {
	s := grpc.NewServer()
	pluginpb.RegisterStagesServer(s, &testStages{})
	h := health.NewServer()
	h.SetServingStatus("plugin", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(s, h)
	panic(s.Serve(socketOfOther()))
}

// socketOfOther listens as a plugin in another language does, and says where.
func socketOfOther() net.Listener {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	fmt.Printf("1|1|unix|%s|grpc\n", path)
	return l
}

type servedStages struct {
	goplugin.NetRPCUnsupportedPlugin
	stages *testStages
}

func (p *servedStages) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pluginpb.RegisterStagesServer(s, p.stages)
	return nil
}

func (*servedStages) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin is no client")
}

type testStages struct {
	pluginpb.UnimplementedStagesServer
	descriptors []string
}

func (*testStages) Heartbeat(context.Context, *pluginpb.HeartbeatRequest) (*pluginpb.HeartbeatResponse, error) {
	return &pluginpb.HeartbeatResponse{}, nil
}

// Describe tells what the process sees of its surroundings.
func (s *testStages) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.DescribeResponse, error) {
	var names []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		names = append(names, name)
	}
	return &pluginpb.DescribeResponse{
		Name: strings.Join(s.descriptors, " "), Version: strings.Join(names, " "),
		Stages: []*pluginpb.Stage{{Kind: pluginpb.Kind_KIND_TRANSFORM, Name: "obey", Summary: fmt.Sprint(os.Getpid())}},
	}, nil
}

// Validate does what its configuration says.
func (*testStages) Validate(_ context.Context, r *pluginpb.ValidateRequest) (*pluginpb.ValidateResponse, error) {
	obey(string(r.Configuration))
	return &pluginpb.ValidateResponse{}, nil
}

var taken [][]byte

func obey(command string) {
	if marker, ok := strings.CutPrefix(command, "exit once "); ok {
		f, err := os.OpenFile(marker, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			_ = f.Close()
			os.Exit(1)
		}
	}
	switch command {
	case "exit":
		os.Exit(1)
	case "say":
		fmt.Fprintln(os.Stderr, "I give up")
		os.Exit(3)
	case "print":
		fmt.Fprintln(os.Stdout, "no standard error")
		os.Exit(3)
	case "record":
		log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
		log.Error("no licence", "device", "press-1", "code", 7)
		log.Info("closed")
		os.Exit(3)
	case "panic":
		go panic("poisoned") // one that nobody can recover from
		forever()
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "leave":
		parents, err := syscall.Getpgid(os.Getppid())
		if err == nil {
			err = syscall.Setpgid(0, parents)
		}
		if err != nil {
			panic(err)
		}
	case "hang":
		forever()
	case "grow":
		for n, err := resident(os.Getpid()); n < 220<<20 && err == nil; n, err = resident(os.Getpid()) {
			block := make([]byte, 8<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			taken = append(taken, block)
		}
	case "explode":
		for {
			block := make([]byte, 64<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			taken = append(taken, block)
		}
	case "log":
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Warn("structured", "device", "press-1", "n", 7)
		hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true}).Error("of hclog", "tag", "temperature")
		fmt.Fprintln(os.Stderr, "plain")
		fmt.Fprintln(os.Stdout, "on the standard output")
	}
}

// openDescriptors lists what the process has open but for the standard streams.
func openDescriptors() []string {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	var all []string
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue // the directory itself, closed by now
		}
		if e.Name() == "0" && to != os.DevNull {
			all = append(all, "stdin:"+to)
		}
		if len(e.Name()) > 1 || e.Name() > "2" {
			all = append(all, to)
		}
	}
	return all
}

// forever never returns. Without cgo the runtime takes an empty select for a
// deadlock when nothing else goes on.
func forever() {
	for {
		_ = syscall.Pause()
	}
}
