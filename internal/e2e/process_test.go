package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// feedProcess is the feed as a child process, started and ended as often as a
// test likes.
type feedProcess struct {
	t      *testing.T
	config string
	admin  string
	env    []string

	mu      sync.Mutex
	cmd     *exec.Cmd
	log     *bytes.Buffer
	peakRSS int // kB, over all lives
}

// drained bounds what a feed takes to end. Its drain timeout is half of it; the
// rest is for a machine that is busy.
const drained = 30 * time.Second

// newFeed writes the configuration, in which ADMIN stands for the address of
// the admin server.
func newFeed(t *testing.T, yaml string, env ...string) *feedProcess {
	t.Helper()
	admin := testenv.Address(t)
	p := &feedProcess{t: t, admin: admin, env: env, config: filepath.Join(t.TempDir(), "feed.yaml"), log: &bytes.Buffer{}}
	if err := os.WriteFile(p.config, []byte(strings.ReplaceAll(yaml, "ADMIN", admin)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.mu.Lock()
		running := p.cmd != nil
		p.mu.Unlock()
		if running {
			p.kill()
		}
		if t.Failed() {
			log := p.log.String()
			if len(log) > 8000 {
				log = log[len(log)-8000:]
			}
			t.Logf("the feed's log ends with:\n%s", log)
		}
	})
	return p
}

func (p *feedProcess) start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = exec.Command(feedBinary, "run", p.config)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// measure reads the peak memory of the running process.
func (p *feedProcess) measure() {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			if kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB")); err == nil {
				p.peakRSS = max(p.peakRSS, kb)
			}
		}
	}
}

// kill ends the process with SIGKILL.
func (p *feedProcess) kill() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Errorf("kill: %v", err)
	}
	_ = p.cmd.Wait()
	p.cmd = nil
}

// terminate ends the process with SIGTERM and returns its exit code and how
// long it took.
func (p *feedProcess) terminate() (code int, took time.Duration) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	begin := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("terminate: %v", err)
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("wait: %v", err)
	}
	code = p.cmd.ProcessState.ExitCode()
	p.cmd = nil
	return code, time.Since(begin)
}

// status asks the admin server.
func (p *feedProcess) status() (feed.Status, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+"/status", nil)
	if err != nil {
		return feed.Status{}, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return feed.Status{}, err
	}
	defer response.Body.Close() //nolint:errcheck // read only
	var s feed.Status
	return s, json.NewDecoder(response.Body).Decode(&s)
}

// ready waits until every route runs.
func (p *feedProcess) ready() {
	p.t.Helper()
	testenv.Eventually(p.t, 3*time.Minute, "the feed to be ready", func() bool {
		s, err := p.status()
		return err == nil && s.Ready
	})
}

// checkAccounts fails the test unless every account balances, and returns the
// status.
func (p *feedProcess) checkAccounts() feed.Status {
	p.t.Helper()
	s, err := p.status()
	if err != nil {
		p.t.Fatalf("status: %v", err)
	}
	for _, r := range s.Routes {
		for what, account := range map[string]feed.Account{"deliveries": r.Deliveries, "produced": r.Produced} {
			if err := account.Check(); err != nil {
				p.t.Errorf("route %s, %s: %v", r.Name, what, err)
			}
		}
	}
	return s
}
