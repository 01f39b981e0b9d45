package plugintest

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
	"github.com/kraft-edge/datafeed/plugins/internal/inprocess"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// timeout bounds what a plugin under test may take for an answer.
const timeout = 30 * time.Second

// Main is the whole TestMain of a plugin's tests: it makes the test binary the plugin
// when [Run] has started it as one, and runs the tests otherwise.
func Main(m *testing.M, name, version string, factories ...feed.Factory) {
	ServeIfStarted(name, version, factories...)
	os.Exit(m.Run())
}

// ServeIfStarted serves the stages and ends the process if [Run] has started the test
// binary as a plugin. Otherwise it returns at once. It is for a TestMain that does
// more than [Main], and stands at its begin.
func ServeIfStarted(name, version string, factories ...feed.Factory) {
	if os.Getenv(wire.Handshake.MagicCookieKey) == wire.Handshake.MagicCookieValue {
		plugins.Serve(name, version, factories...)
		os.Exit(0)
	}
}

// Run tests the stages of a plugin in Go, each in every way in which it can be used.
// Each stage has at least one case. The test binary's TestMain is [Main], or calls
// [ServeIfStarted].
func Run(t *testing.T, factories []feed.Factory, cases ...Case) {
	t.Helper()
	local, err := newLocal(factories)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("in process", func(t *testing.T) { runAll(t, local, cases) })
	t.Run("through memory", func(t *testing.T) {
		server, err := plugins.NewServer("test", "0", testLog(t), factories...)
		if err != nil {
			t.Fatal(err)
		}
		process := inprocess.New(t, func() *grpc.Server { return server.GRPC(grpc.WaitForHandlers(true)) })
		runPlugin(t, process, cases)
	})
	t.Run("as a process", func(t *testing.T) {
		file, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		runPlugin(t, launch(t, file, true), cases)
	})
}

// RunBinary tests the stages of a plugin that is an executable file, in any language.
// Each stage has at least one case.
func RunBinary(t *testing.T, path string, cases ...Case) {
	t.Helper()
	runPlugin(t, launch(t, path, false), cases)
}

// process is a connection that tells what has happened to it.
type process interface {
	remote.Conn
	Reasons() []string
	Kill()
}

func runPlugin(t *testing.T, p process, cases []Case) {
	t.Run("describes its stages", func(t *testing.T) { testDescription(t, p, cases) })
	over := over{remote.New("test", p, remote.Limits{Timeout: timeout}), p}
	runAll(t, over, cases)
	if reasons := p.Reasons(); len(reasons) > 0 {
		t.Errorf("the plugin failed because of %q", reasons)
	}
}

func runAll(t *testing.T, s stages, cases []Case) {
	for _, c := range cases {
		kind, name := c.stage()
		t.Run(string(kind)+" "+name, func(t *testing.T) { c.test(t, s) })
	}
}

// testDescription checks what a plugin says of its stages, and of a key that no stage
// has.
func testDescription(t *testing.T, p process, cases []Case) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	client, _, err := p.Client(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Heartbeat(ctx, &pluginpb.HeartbeatRequest{}); err != nil {
		t.Errorf("heartbeat: %v", err)
	}
	d, err := client.Describe(ctx, &pluginpb.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Name == "" || d.Version == "" {
		t.Errorf("the plugin is called %q, version %q: say both", d.Name, d.Version)
	}
	if len(d.Stages) == 0 {
		t.Error("the plugin has no stages")
	}
	tested := map[string]bool{}
	for _, c := range cases {
		kind, name := c.stage()
		tested[string(kind)+" "+name] = true
	}
	for _, s := range d.Stages {
		id := string(wire.FromKind(s.Kind)) + " " + s.Name
		if !tested[id] {
			t.Errorf("there is no case for %s", id)
		}
		delete(tested, id)
		if s.Summary == "" {
			t.Errorf("%s has no summary", id)
		}
		for _, k := range s.Keys {
			if k.Path == "" || k.Doc == "" {
				t.Errorf("%s: key %q has no documentation", id, k.Path)
			}
		}
		if len(s.Schema) > 0 && !json.Valid(s.Schema) {
			t.Errorf("the schema of %s is no JSON", id)
		}
		v, err := client.Validate(ctx, &pluginpb.ValidateRequest{Kind: s.Kind, Stage: s.Name, Configuration: []byte(`{"` + wire.NoStageHas + `": 1}`)})
		if err != nil {
			t.Errorf("%s: validate: %v", id, err)
			continue
		}
		if len(v.Problems) == 0 {
			t.Errorf("%s accepts a key that it does not have", id)
		}
	}
	for id := range tested {
		t.Errorf("the plugin has no %s", id)
	}
}

// testLog writes log records to the test's output.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}
