package share

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// shortLinger is how long the hosts of these tests wait for another user.
const shortLinger = 300 * time.Millisecond

// TestMain lets the test binary play the two other parts as well: that of the host, and that of another test binary.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "host":
		err = playHost(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "holder":
		err = playHolder(os.Args[2])
	default:
		goleak.VerifyTestMain(m)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func playHost(root string) error {
	h, err := NewHost(root, shortLinger, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return h.Run(context.Background())
}

// playHolder acquires a server, says so, and holds it until its input ends.
func playHolder(root string) error {
	lease, err := Acquire(context.Background(), root, os.Args[0], PostgreSQL)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(lease.Grant); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return lease.Close()
}

// holder starts a process that holds the server, and returns what it was granted.
func holder(t *testing.T, root string) (*exec.Cmd, Grant) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "holder", root)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var grant Grant
	if err := json.Unmarshal(line, &grant); err != nil {
		t.Fatal(err)
	}
	return cmd, grant
}

func acquireHere(t *testing.T, root string) *Lease {
	t.Helper()
	lease, err := Acquire(t.Context(), root, os.Args[0], PostgreSQL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lease.Close() })
	return lease
}

// awaitEnd waits until nothing listens at the address and the host has left nothing running and no data behind.
func awaitEnd(t *testing.T, root, addr string) {
	t.Helper()
	awaitDown(t, addr)
	place, err := placeOf(root)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := place.lockHost() // held by the host as long as it lives
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	for _, path := range []string{place.servers(), place.socket()} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

func awaitDown(t *testing.T, addr string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = conn.Close()
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s still listens", addr)
		}
	}
}

// tempRoot stands for a working copy of its own, and removes its place in the end.
func tempRoot(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers, which a -short run does not")
	}
	root := t.TempDir()
	place, err := placeOf(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		lock, err := place.lockHost()
		if err != nil {
			t.Error(err)
			return
		}
		defer lock.Close()
		if err := os.RemoveAll(string(place)); err != nil {
			t.Error(err)
		}
	})
	return root
}

func TestProcessesShareOneServerUntilTheLastIsKilled(t *testing.T) {
	root := tempRoot(t)
	first, grant := holder(t, root)
	second, same := holder(t, root)
	if grant != same {
		t.Fatalf("the second process was granted %s, the first %s", same.Addr, grant.Addr)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Nothing may end as long as the second process lives: a third one still finds the same server.
	lease := acquireHere(t, root)
	if lease.Grant != grant {
		t.Fatalf("the third was granted %s, the first %s", lease.Addr, grant.Addr)
	}
	if err := lease.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, root, grant.Addr)
}

func TestLeaseIsGivenBackTwice(t *testing.T) {
	root := tempRoot(t)
	lease := acquireHere(t, root)
	for range 2 {
		if err := lease.Close(); err != nil {
			t.Fatal(err)
		}
	}
	awaitEnd(t, root, lease.Addr)
	// The next user gets a server of a new host.
	again := acquireHere(t, root)
	if again.Grant == lease.Grant {
		t.Error("the server is the one that had ended")
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, root, again.Addr)
}

func TestKilledHostTakesItsServersAlong(t *testing.T) {
	root := tempRoot(t)
	lease := acquireHere(t, root)
	if err := syscall.Kill(hostOf(t, lease), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitDown(t, lease.Addr)
	again := acquireHere(t, root)
	if again.Grant == lease.Grant {
		t.Error("the server is the one of the killed host")
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, root, again.Addr)
}

// hostOf returns the process at the other end of a lease.
func hostOf(t *testing.T, lease *Lease) int {
	t.Helper()
	raw, err := lease.conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var peer *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	return int(peer.Pid)
}

func TestUnknownServerIsRefused(t *testing.T) {
	root := tempRoot(t)
	_, err := Acquire(t.Context(), root, os.Args[0], "oracle")
	if err == nil {
		t.Fatal("a lease on a server that does not exist")
	}
}
