package testenv

import (
	"crypto/rand"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/kraft-edge/datafeed/internal/testenv/share"
)

// A Database is a fresh PostgreSQL database that belongs to one test.
type Database struct {
	Addr     string // host and port of the server
	Name     string
	User     string // a superuser
	Password string
}

// PostgreSQL returns a fresh database on the shared server, which is started when it does not run yet. The database is
// dropped when the test ends. The server does not sync to disk.
func PostgreSQL(t testing.TB) *Database {
	t.Helper()
	needServers(t)
	grant := acquire(t, share.PostgreSQL)
	d := &Database{Addr: grant.Addr, User: grant.User, Password: grant.Password, Name: "test_" + strings.ToLower(rand.Text())}
	admin := *d
	admin.Name = "postgres"
	admin.exec(t, "CREATE DATABASE "+d.Name)
	t.Cleanup(func() { admin.exec(t, "DROP DATABASE "+d.Name+" WITH (FORCE)") })
	return d
}

// exec runs one statement on a connection of its own.
func (d *Database) exec(t testing.TB, statement string) {
	t.Helper()
	ctx := within(t, apiTimeout)
	conn, err := pgx.Connect(ctx, d.URL())
	check(t, err)
	_, err = conn.Exec(ctx, statement)
	check(t, err)
	check(t, conn.Close(ctx))
}

// URL is where clients connect to, with user, password and database.
func (d *Database) URL() string { return d.URLAt(d.Addr) }

// URLAt is URL with another host and port, for example those of a Proxy.
func (d *Database) URLAt(addr string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(d.User, d.Password), Host: addr, Path: "/" + d.Name,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}
