package plugintest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// launched is a plugin in a process of its own, which is started again when it was
// told that it failed. It is a remote.Conn.
type launched struct {
	t        testing.TB
	path     string
	autoMTLS bool

	mu      sync.Mutex
	gen     uint64
	cmd     *exec.Cmd
	client  *plugin.Client // nil: it does not run
	stages  pluginpb.StagesClient
	reasons []string
	closed  bool
}

// launch prepares a plugin of an executable file. It ends with the test.
func launch(t testing.TB, path string, autoMTLS bool) *launched {
	l := &launched{t: t, path: path, autoMTLS: autoMTLS}
	t.Cleanup(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.closed = true
		l.end()
	})
	return l
}

// Client implements remote.Conn.
func (l *launched) Client(context.Context) (pluginpb.StagesClient, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, 0, errors.New("the test has ended")
	}
	if l.client == nil {
		if err := l.start(); err != nil {
			return nil, 0, fmt.Errorf("start %s: %w", l.path, err)
		}
	}
	return l.stages, l.gen, nil
}

// start starts the process. The lock is held.
func (l *launched) start() error {
	sockets, err := os.MkdirTemp("", "plugin-") // short, unlike a test's own: the name of a socket has at most 107 bytes
	if err != nil {
		return err
	}
	l.t.Cleanup(func() {
		if err := os.RemoveAll(sockets); err != nil {
			l.t.Error(err)
		}
	})
	cmd := exec.Command(l.path)
	cmd.Env = []string{plugin.EnvUnixSocketDir + "=" + sockets} // and nothing else, as with a host
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: map[int]plugin.PluginSet{wire.Version: {wire.ServiceName: dispensed{}}},
		Cmd:              cmd,
		SkipHostEnv:      true,
		AutoMTLS:         l.autoMTLS,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		GRPCDialOptions:  wire.DialOptions(),
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: l.t.Output()}),
		Stderr:           l.t.Output(),
	})
	connection, err := client.Client()
	if err != nil {
		client.Kill()
		return err
	}
	stages, err := connection.Dispense(wire.ServiceName)
	if err != nil {
		client.Kill()
		return err
	}
	l.cmd, l.client, l.stages = cmd, client, stages.(pluginpb.StagesClient)
	l.gen++
	return nil
}

// Failed implements remote.Conn.
func (l *launched) Failed(gen uint64, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == nil || l.gen != gen {
		return
	}
	l.reasons = append(l.reasons, reason)
	l.kill()
}

// Ended implements remote.Conn.
func (*launched) Ended(context.Context, uint64) string { return "" }

// Reasons returns why it was said to have failed, each time.
func (l *launched) Reasons() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.reasons...)
}

// Kill ends it as if somebody had killed it.
func (l *launched) Kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kill()
}

// kill ends the process without asking it. The lock is held.
func (l *launched) kill() {
	if l.client == nil {
		return
	}
	if err := l.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		l.t.Errorf("kill the plugin: %v", err)
	}
	l.end()
}

// end asks the process to end, and ends it when it does not. The lock is held.
func (l *launched) end() {
	if l.client != nil {
		l.client.Kill()
		l.client, l.stages = nil, nil
	}
}

// dispensed makes go-plugin hand out the connection.
type dispensed struct{ plugin.NetRPCUnsupportedPlugin }

// GRPCServer implements [plugin.GRPCPlugin].
func (dispensed) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("a test is a host and serves nothing")
}

// GRPCClient implements [plugin.GRPCPlugin].
func (dispensed) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return pluginpb.NewStagesClient(conn), nil
}
