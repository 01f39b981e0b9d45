// Package inprocess runs the server of a plugin within a test's own process.
package inprocess

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Process stands for the process of a plugin: a gRPC server within the test, with
// connections through memory. It is a remote.Conn that starts it again when it was
// told that it failed.
type Process struct {
	serve func() *grpc.Server

	mu      sync.Mutex
	gen     uint64
	client  pluginpb.StagesClient // nil: it does not run
	stop    func()
	reasons []string // why it was said to have failed
	closed  bool
}

var errProcessClosed = errors.New("the plugin of the test has ended")

// New returns a process that serves what serve makes. It ends with the test.
func New(t testing.TB, serve func() *grpc.Server) *Process {
	p := &Process{serve: serve}
	t.Cleanup(p.Close)
	return p
}

// Client implements remote.Conn.
func (p *Process) Client(ctx context.Context) (pluginpb.StagesClient, uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if p.closed {
		return nil, 0, errProcessClosed
	}
	if p.client == nil {
		if err := p.start(); err != nil {
			return nil, 0, err
		}
	}
	return p.client, p.gen, nil
}

// start starts it. The lock is held.
func (p *Process) start() error {
	listener := bufconn.Listen(1 << 20)
	server := p.serve()
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(listener) }) // it ends with Stop
	dial := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) })
	conn, err := grpc.NewClient("passthrough:///plugin", append(wire.DialOptions(), dial, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		server.Stop()
		return err
	}
	p.gen++
	p.client = pluginpb.NewStagesClient(conn)
	p.stop = func() {
		_ = listener.Close()
		server.Stop()
		served.Wait()
		_ = conn.Close()
	}
	return nil
}

// Failed implements remote.Conn.
func (p *Process) Failed(gen uint64, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == nil || p.gen != gen {
		return
	}
	p.reasons = append(p.reasons, reason)
	p.end()
}

// Ended implements remote.Conn.
func (*Process) Ended(context.Context, uint64) string { return "" }

// end ends it. The lock is held.
func (p *Process) end() {
	if p.client != nil {
		p.client = nil
		p.stop()
	}
}

// Kill ends it as if somebody had killed it. It is started again when it is next
// asked for.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
}

// Reasons returns why it was said to have failed, each time.
func (p *Process) Reasons() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.reasons...)
}

// Starts returns how often it was started.
func (p *Process) Starts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.gen)
}

// Close ends it for good. Idempotent.
func (p *Process) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.end()
}
