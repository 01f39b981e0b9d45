package boottest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/kube/site"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// A container is one of feed's, which runs as a process.
type container struct {
	t    *testing.T
	name string
	port string // of its only listener
	box  *site.Sandbox
	args []string
	env  []string

	cmd  *exec.Cmd
	done chan error
	log  lockedBuffer
}

// newContainer prepares a workload's container. Addresses, and further pairs of texts, are replaced in its feed.yaml, its
// arguments and its variables: of what waits for long. Variables given win over those of the overlay.
func (cluster *cluster) newContainer(t *testing.T, workload string, variables []string, pairs ...string) *container {
	t.Helper()
	s := cluster.site
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	w := s.Workloads[workload]
	spec := &w.Pod.Spec.Containers[0]
	c := &container{t: t, name: workload, box: sandbox(t, s, workload), env: os.Environ()}
	_, c.port, _ = net.SplitHostPort(addr)
	replace := strings.NewReplacer(slices.Concat(pairs, cluster.addresses(), []string{`":9090"`, `"` + addr + `"`, ":8080", addr})...)
	for _, arg := range spec.Args {
		c.args = append(c.args, replace.Replace(c.box.Moved(arg)))
	}
	for _, v := range s.Environment(spec) {
		c.env = append(c.env, v.Name+"="+replace.Replace(c.box.Moved(v.Value)))
	}
	c.env = append(c.env, variables...)
	if path := "/etc/feed/feed.yaml"; len(s.Files(w, spec)) > 0 {
		if text, err := os.ReadFile(c.box.Path(path)); err == nil {
			if err := c.box.Write(path, []byte(replace.Replace(string(text)))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

// start starts the process, which is killed when the test ends.
func (c *container) start(further ...string) {
	c.t.Helper()
	c.cmd = exec.Command(feedBinary, append(c.args, further...)...)
	c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = c.env, &c.log, &c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.done = make(chan error, 1)
	go func() { c.done <- c.cmd.Wait() }()
	c.t.Cleanup(func() {
		if c.done != nil {
			c.signal(syscall.SIGKILL)
			<-c.done
		}
		if c.t.Failed() {
			c.t.Logf("%s has logged\n%s", c.name, c.log.tail(4000))
		}
	})
}

func (c *container) signal(s syscall.Signal) {
	if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Error(err)
	}
}

// ready waits until the shipped readiness probe succeeds.
func (c *container) ready(s *site.Site) {
	c.t.Helper()
	path := s.Workloads[c.name].Pod.Spec.Containers[0].ReadinessProbe.HTTPGet.Path
	testenv.Eventually(c.t, time.Minute, c.name+" to be ready", func() bool {
		response, err := http.Get("http://127.0.0.1:" + c.port + path)
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	})
	http.DefaultClient.CloseIdleConnections()
}

// stop ends the process as Kubernetes does, and wants it to end in order.
func (c *container) stop() {
	c.t.Helper()
	c.signal(syscall.SIGTERM)
	c.wait()
}

// wait wants the process to end with exit code 0.
func (c *container) wait() {
	c.t.Helper()
	select {
	case err := <-c.done:
		c.done = nil
		if err != nil {
			c.t.Fatalf("%s %s: %v\n%s", c.name, strings.Join(c.args, " "), err, c.log.tail(4000))
		}
	case <-time.After(time.Minute):
		c.t.Fatalf("%s does not end", c.name)
	}
}

// metric returns the sum of a metric's values that have a label.
func (c *container) metric(name, label string) float64 {
	c.t.Helper()
	response, err := http.Get("http://127.0.0.1:" + c.port + "/metrics")
	if err != nil {
		return -1
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		c.t.Fatal(err)
	}
	sum := 0.0
	for line := range strings.Lines(text.String()) {
		metric, value, _ := strings.Cut(line, " ")
		if base, labels, _ := strings.Cut(metric, "{"); base == name && strings.Contains(labels, label) {
			var v float64
			if _, err := fmt.Sscan(value, &v); err != nil {
				c.t.Fatalf("%s: %v", line, err)
			}
			sum += v
		}
	}
	return sum
}

// lockedBuffer takes what a process logs.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.buf.String()
	return text[max(0, len(text)-n):]
}
