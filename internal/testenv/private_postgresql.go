package testenv

import (
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

// TinyDisk mounts a file system of so many bytes, to which the server may write, and has tables of the server's database be
// made on it.
func (s *DatabaseServer) TinyDisk(bytes int) *TinyDisk {
	s.t.Helper()
	d := NewTinyDisk(s.t, bytes)
	check(s.t, s.server.Own(d.Dir))
	s.exec(s.t, "CREATE TABLESPACE tiny LOCATION '"+d.Dir+"'")
	s.exec(s.t, "ALTER DATABASE "+s.Name+" SET default_tablespace = tiny")
	return d
}
