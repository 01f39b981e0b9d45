package remote_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// serveVariable says that the test binary is the plugin of a benchmark.
const serveVariable = "REMOTE_BENCH_PLUGIN"

// processConn is a connection to a process that nobody starts again.
type processConn struct{ client pluginpb.StagesClient }

func (c processConn) Client(context.Context) (pluginpb.StagesClient, uint64, error) {
	return c.client, 1, nil
}
func (processConn) Failed(_ uint64, reason string)       { panic(reason) }
func (processConn) Ended(context.Context, uint64) string { return "" }

// clientPlugin makes go-plugin hand out the connection.
type clientPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (clientPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { panic("this is the host") }
func (clientPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return pluginpb.NewStagesClient(conn), nil
}

// BenchmarkRemoteTransform puts batches of 500 messages of 200 bytes with 6 metadata
// entries through a transform in another process, as a feed reaches one in Go: over a Unix
// socket with TLS. It reports the
// CPU time of both processes together for each message, beside that of the same
// transform in this one.
func BenchmarkRemoteTransform(b *testing.B) {
	const batch = 500
	given := make([]*message.Message, batch)
	for i := range given {
		given[i] = &message.Message{UUID: fmt.Sprintf("018f6d2e-5b7a-7c3e-9a51-%012d", i), Payload: make([]byte, 200), Metadata: message.Metadata{
			feed.MetaTopic: "plant/line1/press7", feed.MetaTime: "2026-11-22T04:00:00.123456789Z", feed.MetaContentType: "application/json",
			"device": "press7", "x-sequence": fmt.Sprint(100_000 + i), "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		}}
	}
	for _, m := range given {
		for i := range m.Payload {
			m.Payload[i] = 'a' + byte(i%26)
		}
	}
	b.Run("in process", func(b *testing.B) {
		f := sorter(nil, nil)
		c := f.NewConfig()
		c.(*sortConfig).Prefix = ">"
		t, err := f.Transform(c, env)
		if err != nil {
			b.Fatal(err)
		}
		before := cpu(b, 0)
		for b.Loop() {
			for _, m := range given {
				if _, err := t.Func(m.Copy()); err != nil {
					b.Fatal(err)
				}
			}
		}
		report(b, batch, cpu(b, 0)-before)
	})
	b.Run("in a plugin", func(b *testing.B) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), serveVariable+"=1")
		config := &plugin.ClientConfig{
			HandshakeConfig: wire.Handshake, VersionedPlugins: map[int]plugin.PluginSet{wire.Version: {wire.ServiceName: clientPlugin{}}},
			Cmd: cmd, AutoMTLS: true, AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(),
		}
		config.GRPCDialOptions = append(wire.DialOptions(), wire.Secured(func() *tls.Config { return config.TLSConfig }))
		process := plugin.NewClient(config)
		defer process.Kill()
		connection, err := process.Client()
		if err != nil {
			b.Fatal(err)
		}
		stages, err := connection.Dispense(wire.ServiceName)
		if err != nil {
			b.Fatal(err)
		}
		t := remote.New("bench", processConn{stages.(pluginpb.StagesClient)}, remote.Limits{Timeout: 30 * time.Second}).
			Transform("sort", document(b, map[string]string{"prefix": ">"}), env)
		fresh := make([]*message.Message, batch) // the transform changes them
		host, there := cpu(b, 0), cpu(b, cmd.Process.Pid)
		for b.Loop() {
			for i, m := range given {
				fresh[i] = m.Copy()
			}
			if made := t.Batch(b.Context(), fresh); len(made) != batch || made[batch-1].Err != nil {
				b.Fatal(made)
			}
		}
		host, there = cpu(b, 0)-host, cpu(b, cmd.Process.Pid)-there
		b.ReportMetric(float64(host.Nanoseconds())/1000/float64(b.N*batch), "µs-CPU-of-host/message")
		report(b, batch, host+there)
	})
}

func report(b *testing.B, batch int, used time.Duration) {
	b.ReportMetric(float64(used.Nanoseconds())/1000/float64(b.N*batch), "µs-CPU/message")
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "messages/s")
}

// cpu returns the CPU time that a process has used; 0 is this one.
func cpu(b *testing.B, pid int) time.Duration {
	if pid == 0 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return processCPU(b, pid)
}

// processCPU reads what the kernel counts for another process, to the nanosecond:
// getrusage tells of one that has ended only.
func processCPU(b *testing.B, pid int) time.Duration {
	var total time.Duration
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, task := range tasks {
		content, err := os.ReadFile(task)
		if err != nil {
			b.Fatal(err)
		}
		var nanos int64
		if _, err := fmt.Sscan(string(content), &nanos); err != nil {
			b.Fatal(err)
		}
		total += time.Duration(nanos)
	}
	return total
}
