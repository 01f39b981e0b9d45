package testenv

import (
	"os"
	"strconv"
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
// made on it. Only root can do that.
func (s *DatabaseServer) TinyDisk(bytes int) *TinyDisk {
	s.t.Helper()
	if os.Getuid() != 0 {
		s.t.Fatal("testenv: mounting a small file system needs root: run this test as root, or leave it out with -skip")
	}
	dir, err := os.MkdirTemp("", "datafeed-disk-") //nolint:usetesting // the server's user must reach it
	check(s.t, err)
	s.t.Cleanup(func() { check(s.t, os.Remove(dir)) })
	check(s.t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(bytes)))
	s.t.Cleanup(func() { check(s.t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	check(s.t, s.server.Own(dir))
	s.exec(s.t, "CREATE TABLESPACE tiny LOCATION '"+dir+"'")
	s.exec(s.t, "ALTER DATABASE "+s.Name+" SET default_tablespace = tiny")
	return &TinyDisk{Dir: dir, t: s.t, ballast: dir + "/ballast"}
}

// Fill takes all room but so many bytes.
func (d *TinyDisk) Fill(leave int) {
	d.t.Helper()
	var room syscall.Statfs_t
	check(d.t, syscall.Statfs(d.Dir, &room))
	check(d.t, os.WriteFile(d.ballast, make([]byte, max(0, int(room.Bavail)*int(room.Bsize)-leave)), 0o600))
}

// Free gives the room back.
func (d *TinyDisk) Free() { d.t.Helper(); check(d.t, os.Remove(d.ballast)) }
