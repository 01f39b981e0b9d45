package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// A DatabaseServer is a PostgreSQL server that belongs to one test, with a database.
type DatabaseServer struct {
	Database

	t      testing.TB
	server *server.PostgreSQL
}

// PrivatePostgreSQL starts a server with further settings, such as "work_mem=8MB", which takes about two seconds, and stops
// it when the test ends.
func PrivatePostgreSQL(t testing.TB, settings ...string) *DatabaseServer {
	t.Helper()
	needServers(t)
	s := start(t, func(dir string) (*server.PostgreSQL, error) {
		return server.NewPostgreSQL(dir, server.PostgreSQLConfig{Settings: settings})
	})
	return &DatabaseServer{
		Database: Database{Addr: s.Addr(), Name: "postgres", User: s.User, Password: s.Password},
		t:        t, server: s,
	}
}

// Start starts the server after Stop or Kill, and returns when it takes connections, with all that was committed.
func (s *DatabaseServer) Start() { s.t.Helper(); check(s.t, s.server.Start(within(s.t, startTimeout))) }

// Stop ends the server in order, and returns when it has ended.
func (s *DatabaseServer) Stop() { s.t.Helper(); check(s.t, s.server.Stop()) }

// Kill ends the server with SIGKILL, and returns when it has ended.
func (s *DatabaseServer) Kill() { s.t.Helper(); check(s.t, s.server.Kill()) }

// A TinyDisk is a file system of little room.
type TinyDisk struct {
	Dir string

	t       testing.TB
	ballast string
}

// TinyDisk mounts a file system of so many bytes, to which the server may write, and has tables of the server's database be
// made on it. Unless the test runs as root it needs sudo, as "make setup" does.
func (s *DatabaseServer) TinyDisk(bytes int) *TinyDisk {
	s.t.Helper()
	dir, err := os.MkdirTemp("", "datafeed-disk-") //nolint:usetesting // the server's user must reach it
	check(s.t, err)
	s.t.Cleanup(func() { check(s.t, os.Remove(dir)) })
	s.asRoot("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=0700,uid=%d", bytes, os.Getuid()), "tmpfs", dir)
	s.t.Cleanup(func() { s.asRoot("umount", "--lazy", dir) }) // the server still holds its files
	check(s.t, s.server.Own(dir))
	s.exec(s.t, "CREATE TABLESPACE tiny LOCATION '"+dir+"'")
	s.exec(s.t, "ALTER DATABASE "+s.Name+" SET default_tablespace = tiny")
	return &TinyDisk{Dir: dir, t: s.t, ballast: dir + "/ballast"}
}

// asRoot runs a command.
func (s *DatabaseServer) asRoot(command ...string) {
	s.t.Helper()
	if os.Getuid() != 0 {
		command = append([]string{"sudo", "--non-interactive"}, command...)
	}
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		s.t.Fatalf("testenv: %s: %v: %s (run the test as root, or allow sudo without a password)", strings.Join(command, " "), err, out)
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
