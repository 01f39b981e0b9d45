package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// language says what a plugin is written in.
type language string

const (
	languageGo    language = "go"    // with TLS, whose keys both sides make anew each time
	languageOther language = "other" // without: not all of them take such keys
)

// program is what is run, and how.
type program struct {
	name       string // for people, and in metrics
	executable string // the verified copy
	env        []string
	language   language
	limits     limits
	log        *slog.Logger
}

// limits are what a plugin may take.
type limits struct {
	memory       int64 // bytes
	openFiles    uint64
	messageBytes int
	timeout      time.Duration // for the start, and for a call
	heartbeat    time.Duration // between two, and for one
	restarts     int
	within       time.Duration
}

// instance is a plugin that runs and has been reached.
type instance struct {
	proc   *process
	client *goplugin.Client
	stages pluginpb.StagesClient
	out    [2]*lines
}

// stopDelay is how long an instance that is ended may take for it.
const stopDelay = 3 * time.Second

// launch starts a process of the program and connects to it. Its socket is in a
// directory of its own below dir.
func launch(ctx context.Context, p program, dir string) (*instance, error) {
	in := &instance{out: [2]*lines{{log: p.log.With("stream", "stdout")}, {log: p.log.With("stream", "stderr")}}}
	abort := func() bool { return true }
	config := &goplugin.ClientConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: map[int]goplugin.PluginSet{wire.Version: {wire.ServiceName: &stagesClient{}}},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, sockets string) (runner.Runner, error) {
			in.proc = newProcess(p, cmd.Env, sockets)
			abort = context.AfterFunc(ctx, func() { in.proc.condemn(cause{reasonStart, "the host is being closed"}) })
			return in.proc, nil
		},
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: dir},
		SkipHostEnv:      true,
		AutoMTLS:         p.language == languageGo,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		StartTimeout:     p.limits.timeout,
		Logger:           hclog.NewNullLogger(), // the supervisor tells what is of use
		SyncStdout:       in.out[0],             // of what is written after the handshake, by way of the connection
		SyncStderr:       in.out[1],
		GRPCDialOptions: append(wire.DialOptions(), grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(p.limits.messageBytes), grpc.MaxCallSendMsgSize(p.limits.messageBytes))),
	}
	if config.AutoMTLS {
		config.GRPCDialOptions = append(config.GRPCDialOptions, wire.Secured(func() *tls.Config { return config.TLSConfig }))
	}
	in.client = goplugin.NewClient(config)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	_, err := in.client.Start()
	defer func() { abort() }()
	if err != nil {
		return nil, in.notStarted(err)
	}
	if err := in.connect(); err != nil {
		in.kill(cause{reasonStart, err.Error()})
		return nil, err
	}
	return in, nil
}

// connect connects to the process. Its end is what ends a connection that is not
// accepted: go-plugin takes neither a context nor a time for it.
func (in *instance) connect() error {
	within := in.proc.program.limits.timeout
	tooLong := fmt.Sprintf("no connection within %v: it must accept those to the socket that its first line names", within)
	late := time.AfterFunc(within, func() { in.proc.condemn(cause{reasonStart, tooLong}) })
	err := in.dispense()
	if inTime := late.Stop(); !inTime {
		return errors.New(tooLong)
	}
	return err
}

func (in *instance) dispense() error {
	protocol, err := in.client.Client()
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	raw, err := protocol.Dispense(wire.ServiceName)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	in.stages = raw.(pluginpb.StagesClient)
	return nil
}

// notStarted says why a process did not come as far as the handshake.
func (in *instance) notStarted(err error) error {
	if in.proc == nil {
		return fmt.Errorf("start: %w", err)
	}
	in.kill(cause{reasonStart, "no handshake"})
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return refusef("it cannot be executed here: build it for %s/%s, or begin a script with #!", runtime.GOOS, runtime.GOARCH)
	case errors.Is(err, syscall.ENOENT):
		return refusef("it cannot be executed here: the interpreter of the script, or the loader of the program, is not there: install it, or build it with CGO_ENABLED=0")
	case errors.Is(err, syscall.EACCES):
		return refusef("it cannot be executed: is %s mounted noexec? plugins.runtimeDirectory names another place", filepath.Dir(in.proc.program.executable))
	case in.proc.cmd.ProcessState == nil:
		return fmt.Errorf("start: %w", err)
	}
	c := in.proc.exit
	killed := in.proc.killed != nil && c == *in.proc.killed
	refused := in.proc.stdout.failed()
	switch {
	case refused != nil && killed:
		return refused
	case refused != nil:
		return refusef("it ended: %s; %v", c.text, refused)
	case killed:
		return fmt.Errorf("no handshake within %v: it must write one line to its standard output", in.proc.program.limits.timeout)
	}
	return fmt.Errorf("it ended before the handshake: %s", c.text)
}

// kill ends the instance at once, and returns when it has ended.
func (in *instance) kill(c cause) {
	in.proc.condemn(c)
	in.release()
}

// release waits for the end of a process that is ending, and lets go of the
// connection and of the socket's directory.
func (in *instance) release() {
	<-in.proc.ended
	in.client.Kill()
	for _, l := range in.out {
		_ = l.Close()
	}
}

// stop asks the instance to end, kills it when it does not, and returns when it has
// ended: whether it did so by itself. go-plugin kills, too, after two seconds.
func (in *instance) stop() bool {
	if in.proc.program.language == languageOther {
		in.proc.terminate() // go-plugin's own way is known to Go only
	}
	late := time.AfterFunc(stopDelay, func() { in.proc.condemn(cause{reasonExit, "it did not end when asked to"}) })
	defer late.Stop()
	in.client.Kill()
	in.release()
	killed := in.proc.killed
	return killed == nil || in.proc.exit != *killed
}

// stagesClient makes the client of the service.
type stagesClient struct {
	goplugin.NetRPCUnsupportedPlugin
}

// GRPCServer implements goplugin.GRPCPlugin.
func (*stagesClient) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("a host serves no stages")
}

// GRPCClient implements goplugin.GRPCPlugin.
func (*stagesClient) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return pluginpb.NewStagesClient(conn), nil
}
