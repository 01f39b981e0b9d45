package remote_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
	"github.com/kraft-edge/datafeed/plugins/internal/inprocess"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		plugins.Serve("bench", "1.0", sorter(nil, nil))
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds what a plugin of a test may take.
const patience = 20 * time.Second

// connect returns a plugin of the given stages within the test.
func connect(t testing.TB, factories ...feed.Factory) (*remote.Plugin, *inprocess.Process) {
	server, err := plugins.NewServer("acme", "1.0", slog.New(slog.DiscardHandler), factories...)
	if err != nil {
		t.Fatal(err)
	}
	process := inprocess.New(t, func() *grpc.Server { return server.GRPC(grpc.WaitForHandlers(true)) })
	return remote.New("acme", process, remote.Limits{Timeout: patience}), process
}

// connectTo returns a plugin that is the given server.
func connectTo(t testing.TB, server pluginpb.StagesServer, limits remote.Limits) (*remote.Plugin, *inprocess.Process) {
	process := inprocess.New(t, func() *grpc.Server {
		s := grpc.NewServer(append(wire.ServerOptions(), grpc.WaitForHandlers(true))...)
		pluginpb.RegisterStagesServer(s, server)
		return s
	})
	return remote.New("acme", process, limits), process
}

// document is a configuration as JSON.
func document(t testing.TB, configuration any) []byte {
	b, err := json.Marshal(configuration)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var env = feed.StageEnv{Feed: "plant", Route: "line1", Logger: slog.New(slog.DiscardHandler)}
