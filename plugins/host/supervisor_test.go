package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

func testLimits() limits {
	return limits{memory: 200 << 20, openFiles: 256, messageBytes: 64 << 20, timeout: 20 * time.Second, heartbeat: 5 * time.Second, restarts: 100, within: time.Minute}
}

// testProgram is the binary of the tests, started as a plugin.
func testProgram(t *testing.T, how string, l limits) program {
	t.Helper()
	t.Setenv(behaviour, how)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := program{name: "obedient", executable: exe, env: []string{behaviour}, language: languageGo, limits: l, log: testLogger(t)}
	if how == "other" || how == "deaf" {
		p.language = languageOther
	}
	return p
}

func testLogger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// socketDir is a directory for sockets, of which none may be left.
func socketDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left in the directory of sockets: %v, %v", left, err)
		}
	})
	return dir
}

func supervise(t *testing.T, p program) *supervisor {
	t.Helper()
	s := newSupervisor(t.Context(), p, socketDir(t))
	t.Cleanup(s.close)
	return s
}

// client returns the client of a process that runs.
func client(t *testing.T, s *supervisor) (pluginpb.StagesClient, uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, gen, err := s.Client(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c, gen
}

// next returns the client of a process later than gen.
func next(t *testing.T, s *supervisor, gen uint64) pluginpb.StagesClient {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		s.mu.Lock()
		changed, now, c := s.changed, s.gen, s.current
		s.mu.Unlock()
		if c != nil && now > gen {
			return c.stages
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no process came after %d", gen)
		}
	}
}

func describe(t *testing.T, c pluginpb.StagesClient) *pluginpb.DescribeResponse {
	t.Helper()
	d, err := c.Describe(t.Context(), &pluginpb.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func tell(t *testing.T, c pluginpb.StagesClient, command string) error {
	t.Helper()
	_, err := c.Validate(t.Context(), &pluginpb.ValidateRequest{Configuration: []byte(command)})
	return err
}

// However a process ends, the next one takes its place, and the cause is told.
func TestRestart(t *testing.T) {
	for _, c := range []struct{ how, reason, text string }{
		{"exit", reasonExit, "exit status 1"},
		{"panic", reasonExit, "exit status 2: panic: poisoned"},
		{"stop", reasonHang, "no heartbeat within 1s"},
		{"grow", reasonMemory, "of memory, and may hold 200"},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			l := testLimits()
			if c.how == "stop" {
				l.heartbeat = time.Second
			}
			s := supervise(t, parallelProgram(t, l))
			stages, gen := client(t, s)
			before := describe(t, stages).Stages[0].Summary
			if err := tell(t, stages, c.how); c.how != "grow" && c.how != "stop" && status.Code(err) != codes.Unavailable {
				t.Errorf("the call that ended it returned %v", err)
			}
			if after := describe(t, next(t, s, gen)).Stages[0].Summary; after == before {
				t.Errorf("process %s answers again", after)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.restarts[c.reason] != 1 || len(s.restarts) != 1 || !strings.Contains(s.last.text, c.text) {
				t.Errorf("counted %v, the last because of %q; want one %s because of %q", s.restarts, s.last.text, c.reason, c.text)
			}
		})
	}
}

// parallelProgram is testProgram for a test that runs beside others.
func parallelProgram(t *testing.T, l limits) program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program{name: "obedient", executable: exe, language: languageGo, limits: l, log: testLogger(t)}
}

// The log has a line for each process that runs: which it is, at which attempt, and how long there was none.
func TestLogOfStarts(t *testing.T) {
	var logged safeBuffer
	p := parallelProgram(t, testLimits())
	p.log = slog.New(slog.NewTextHandler(&logged, nil)).With("plugin", p.name)
	broken := filepath.Join(t.TempDir(), "broken")
	script := fmt.Sprintf("#!/bin/sh\nread line <%[1]s && : >%[1]s && exit 7\nexec %[2]s\n", broken, p.executable)
	p.executable = filepath.Join(t.TempDir(), "script")
	if err := errors.Join(os.WriteFile(p.executable, []byte(script), 0o700), os.WriteFile(broken, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := supervise(t, p)
	stages, gen := client(t, s)
	first := s.current.proc.number()
	if err := os.WriteFile(broken, []byte("once\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tell(t, stages, "exit"); err == nil {
		t.Error("a call that ends the process succeeded")
	}
	next(t, s, gen)
	var got []string
	for line := range strings.Lines(logged.String()) {
		if _, text, ok := strings.Cut(line, `msg="the plugin runs`); ok {
			got = append(got, text)
		}
	}
	want := []string{
		fmt.Sprintf(`^" plugin=obedient pid=%d attempt=1\n$`, first),
		fmt.Sprintf(`^ again" plugin=obedient pid=%d attempt=2 away=[0-9.]+m?s\n$`, s.current.proc.number()),
	}
	if len(got) != 2 || !regexp.MustCompile(want[0]).MatchString(got[0]) || !regexp.MustCompile(want[1]).MatchString(got[1]) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A signal from elsewhere is told apart from what the supervisor does.
func TestKilledFromElsewhere(t *testing.T) {
	s := supervise(t, parallelProgram(t, testLimits()))
	_, gen := client(t, s)
	if err := syscall.Kill(s.current.proc.number(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	next(t, s, gen)
	if s.restarts[reasonSignal] != 1 || s.last.text != "signal: killed" {
		t.Errorf("counted %v, the last because of %q", s.restarts, s.last.text)
	}
}

// A stage that gets no answer has the process replaced, at once and once.
func TestFailed(t *testing.T) {
	s := supervise(t, parallelProgram(t, testLimits()))
	_, gen := client(t, s)
	s.Failed(gen, "garbage")
	s.Failed(gen, "garbage")
	if _, now := client(t, s); now != gen+1 {
		t.Errorf("after the failure of process %d came %d", gen, now)
	}
	if how := s.Ended(t.Context(), gen); how != "garbage" {
		t.Errorf("process %d ended because of %q", gen, how)
	}
	s.Failed(gen, "a stage that comes late")
	if _, now := client(t, s); now != gen+1 {
		t.Errorf("a late complaint about process %d ended a later one: %d", gen, now)
	}
	if s.restarts[reasonAnswer] != 1 || s.last.text != "garbage" {
		t.Errorf("counted %v, the last because of %q", s.restarts, s.last.text)
	}
}

// One that has left its group is killed as well.
func TestFailedOutsideItsGroup(t *testing.T) {
	s := supervise(t, parallelProgram(t, testLimits()))
	stages, gen := client(t, s)
	if err := tell(t, stages, "leave"); err != nil {
		t.Fatal(err)
	}
	s.Failed(gen, "garbage")
	next(t, s, gen)
	if s.last.text != "garbage" {
		t.Errorf("it ended because of %q", s.last.text)
	}
}

// What grows faster than is looked at is stopped by the kernel.
func TestMemoryOfTheKernel(t *testing.T) {
	l := testLimits()
	l.memory = 100 << 20
	s := supervise(t, parallelProgram(t, l))
	stages, gen := client(t, s)
	if err := tell(t, stages, "explode"); err == nil {
		t.Error("a plugin that takes memory without end went on")
	}
	next(t, s, gen)
	if s.restarts[reasonExit]+s.restarts[reasonMemory] != 1 {
		t.Errorf("counted %v, the last because of %q", s.restarts, s.last.text)
	}
}

// A process that is none of ours to run is refused, and not tried again.
func TestRefused(t *testing.T) {
	for how, want := range map[string]string{
		"future":    `it speaks version "99" of the protocol, this feed speaks 1`,
		"tcp":       `by "grpc" over "tcp", not by grpc over a unix socket`,
		"elsewhere": `its socket "/tmp/somewhere-else" is not in the directory that PLUGIN_UNIX_SOCKET_DIR named`,
		"chatty":    `its first line is "Hello, I am your plugin!", not CORE|VERSION|unix|PATH|grpc`,
	} {
		t.Run(how, func(t *testing.T) {
			s := supervise(t, testProgram(t, how, testLimits()))
			_, _, err := s.Client(t.Context())
			if refused := (*refusedError)(nil); !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
			<-s.done
		})
	}
	t.Run("without a certificate", func(t *testing.T) {
		p := testProgram(t, "other", testLimits())
		p.language = languageGo
		s := supervise(t, p)
		if _, _, err := s.Client(t.Context()); err == nil || !strings.Contains(err.Error(), "language: other") {
			t.Errorf("got %v", err)
		}
	})
	for commands, want := range map[string]string{
		"#!/bin/sh\necho no licence >&2; echo hello; exit 4\n": `it ended: exit status 4: no licence; its first line is "hello", not `,
		"#!/there/is/none\n": "it cannot be executed here: the interpreter of the script, or the loader of the program, is not there: install it",
	} {
		t.Run(commands, func(t *testing.T) {
			p := testProgram(t, "", testLimits())
			p.executable = filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(p.executable, []byte(commands), 0o700); err != nil {
				t.Fatal(err)
			}
			if _, _, err := supervise(t, p).Client(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "plugin obedient: "+want) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("no program", func(t *testing.T) {
		p := testProgram(t, "", testLimits())
		p.executable = filepath.Join(t.TempDir(), "text")
		if err := os.WriteFile(p.executable, []byte("text"), 0o500); err != nil {
			t.Fatal(err)
		}
		if _, _, err := supervise(t, p).Client(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be executed here: build it for") {
			t.Errorf("got %v", err)
		}
	})
}

// One that does not come up is tried again within the budget; then whoever asks is
// told so, and why.
func TestBudgetUsedUp(t *testing.T) {
	l := testLimits()
	l.restarts = 2
	s := supervise(t, testProgram(t, "stillborn", l))
	_, _, err := s.Client(t.Context())
	if err == nil || !strings.Contains(err.Error(), "started again 2 times within 1m0s, which is its budget, the last time because of: it ended before the handshake: exit status 3: no licence found; it is tried again at ") {
		t.Errorf("got %v", err)
	}
	if s.restarts[reasonStart] != 3 {
		t.Errorf("counted %v", s.restarts)
	}
}

func TestNoHandshake(t *testing.T) {
	l := testLimits()
	l.restarts, l.timeout = 0, 300*time.Millisecond
	s := supervise(t, testProgram(t, "silent", l))
	if _, _, err := s.Client(t.Context()); err == nil || !strings.Contains(err.Error(), "no handshake within 300ms") {
		t.Errorf("got %v", err)
	}
}

// One that never accepts the connection is told of as one that says nothing.
func TestNotAccepted(t *testing.T) {
	l := testLimits()
	l.restarts, l.timeout = 0, 300*time.Millisecond
	s := supervise(t, testProgram(t, "deaf", l))
	start := time.Now()
	_, _, err := s.Client(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no connection within 300ms") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 10*time.Second { // gRPC's own limit is 20 s
		t.Errorf("it took %v", took)
	}
}

// Closing does not wait for a start that hangs, before its first line or behind it.
func TestCloseDuringStart(t *testing.T) {
	for _, how := range []string{"silent", "deaf"} {
		t.Run(how, func(t *testing.T) {
			p := testProgram(t, how, testLimits())
			s := newSupervisor(t.Context(), p, socketDir(t))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, _, err := s.Client(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "does not run yet") {
				t.Errorf("got %v", err)
			}
			start := time.Now()
			s.close()
			if took := time.Since(start); took > 15*time.Second {
				t.Errorf("close took %v", took)
			}
			if _, _, err := s.Client(t.Context()); !errors.Is(err, errClosed) {
				t.Errorf("after close: %v", err)
			}
		})
	}
}

// Plugins in other languages have no TLS, and end when they are asked to.
func TestOtherLanguage(t *testing.T) {
	s := supervise(t, testProgram(t, "other", testLimits()))
	stages, gen := client(t, s)
	describe(t, stages)
	if err := tell(t, stages, "exit"); err == nil {
		t.Error("a call that ends the process succeeded")
	}
	next(t, s, gen)
	start := time.Now()
	s.close()
	if took := time.Since(start); took > stopDelay/2 {
		t.Errorf("close took %v", took)
	}
}

// A plugin sees nothing of its host but what is named.
func TestSurroundings(t *testing.T) {
	t.Setenv("DATAFEED_TEST_SECRET", "geheim")
	t.Setenv("DATAFEED_TEST_SHOWN", "1")
	inherited, err := syscall.Open(filepath.Join(t.TempDir(), "secret"), syscall.O_CREAT|syscall.O_RDWR, 0o600) // without the mark that Go gives its own
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	p := testProgram(t, "", testLimits())
	p.env = append(p.env, "DATAFEED_TEST_SHOWN", "DATAFEED_TEST_NOT_SET")
	stages, _ := client(t, supervise(t, p))
	d := describe(t, stages)
	for _, to := range strings.Fields(d.Name) {
		if own := strings.HasPrefix(to, "/sys/fs/cgroup/") || strings.HasPrefix(to, "anon_inode:"); !own { // of the Go runtime
			t.Errorf("the plugin has inherited %s", to)
		}
	}
	for _, name := range strings.Fields(d.Version) {
		if !strings.HasPrefix(name, "PLUGIN_") && name != wire.Handshake.MagicCookieKey && name != behaviour && name != "DATAFEED_TEST_SHOWN" {
			t.Errorf("the plugin sees the variable %s", name)
		}
	}
	if !strings.Contains(d.Version, "DATAFEED_TEST_SHOWN") {
		t.Errorf("the plugin does not see what is named: %s", d.Version)
	}
}

// The limits of the kernel are those of the settings.
func TestLimits(t *testing.T) {
	s := supervise(t, parallelProgram(t, testLimits()))
	client(t, s)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", s.current.proc.number()))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Max core file size 0 0", "Max open files 256 256", fmt.Sprintf("Max data size %d", (400+256)<<20)} {
		if flat := strings.Join(strings.Fields(string(text)), " "); !strings.Contains(flat, want) {
			t.Errorf("%q is not among %s", want, text)
		}
	}
	if group, err := syscall.Getpgid(s.current.proc.number()); err != nil || group != s.current.proc.number() {
		t.Errorf("its group is %d, %v", group, err)
	}
}

// What the plugin writes becomes records.
func TestLogs(t *testing.T) {
	logged := safeBuffer{wrote: make(chan struct{}, 1)}
	p := parallelProgram(t, testLimits())
	p.log = slog.New(slog.NewTextHandler(&logged, nil))
	stages, _ := client(t, supervise(t, p))
	if err := tell(t, stages, "log"); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(20 * time.Second)
	for _, want := range []string{
		"level=WARN msg=structured stream=stderr device=press-1 n=7", `level=ERROR msg="of hclog" stream=stderr tag=temperature`,
		"level=INFO msg=plain stream=stderr", `level=INFO msg="on the standard output" stream=stdout`,
	} {
		for !strings.Contains(logged.String(), want) {
			select {
			case <-logged.wrote:
			case <-deadline:
				t.Fatalf("no %s in\n%s", want, logged.String())
			}
		}
	}
}

// safeBuffer keeps what many goroutines write, and may tell that it was written.
type safeBuffer struct {
	wrote chan struct{}
	mu    sync.Mutex
	b     bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.wrote <- struct{}{}:
	default:
	}
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
