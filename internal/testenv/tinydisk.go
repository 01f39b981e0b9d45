package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A TinyDisk is a file system of little room.
type TinyDisk struct {
	Dir string

	t       testing.TB
	ballast string
}

// NewTinyDisk mounts a file system of so many bytes for the time of the test. Unless
// the test runs as root it needs sudo, as "make setup" does; with -short it is skipped.
func NewTinyDisk(t testing.TB, bytes int) *TinyDisk {
	t.Helper()
	needServers(t)
	dir, err := os.MkdirTemp("", "datafeed-disk-") //nolint:usetesting // a server's user must reach it
	check(t, err)
	t.Cleanup(func() { check(t, os.Remove(dir)) })
	asRoot(t, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=0700,uid=%d", bytes, os.Getuid()), "tmpfs", dir)
	t.Cleanup(func() { asRoot(t, "umount", "--lazy", dir) }) // a server may still hold its files
	return &TinyDisk{Dir: dir, t: t, ballast: dir + "/ballast"}
}

// asRoot runs a command.
func asRoot(t testing.TB, command ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		command = append([]string{"sudo", "--non-interactive"}, command...)
	}
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("testenv: %s: %v: %s (run the test as root, or allow sudo without a password)", strings.Join(command, " "), err, out)
	}
}

// Fill takes all room but so many bytes.
func (d *TinyDisk) Fill(leave int) {
	d.t.Helper()
	var room syscall.Statfs_t
	check(d.t, syscall.Statfs(d.Dir, &room))
	err := os.WriteFile(d.ballast, make([]byte, max(0, int(room.Bavail)*int(room.Bsize)-leave)), 0o600)
	if !errors.Is(err, syscall.ENOSPC) { // the server has taken room meanwhile
		check(d.t, err)
	}
}

// Free gives the room back.
func (d *TinyDisk) Free() { d.t.Helper(); check(d.t, os.Remove(d.ballast)) }
