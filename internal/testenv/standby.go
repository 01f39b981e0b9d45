package testenv

import (
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// A Standby is a synchronous standby of one server: what it has not confirmed is not committed there.
type Standby struct {
	t        testing.TB
	receiver *server.WALReceiver
}

// Standby starts a standby, of which there may be one, and returns when each commit waits for it. It ends with the test; the
// server then waits no more.
func (s *DatabaseServer) Standby() *Standby {
	s.t.Helper()
	const name = "standby"
	dir, err := os.MkdirTemp("", "datafeed-test-") //nolint:usetesting // Close removes it
	check(s.t, err)
	r, err := server.NewWALReceiver(s.server, name, dir)
	check(s.t, err)
	s.t.Cleanup(func() { check(s.t, r.Close()) })
	s.waitForStandbys(name, "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
	s.t.Cleanup(func() { s.waitForStandbys("", "SELECT current_setting('synchronous_standby_names') = ''") })
	return &Standby{t: s.t, receiver: r}
}

// waitForStandbys says for which standby commits wait, and returns when a statement selects true.
func (s *DatabaseServer) waitForStandbys(name, settled string) {
	s.t.Helper()
	s.exec(s.t, "ALTER SYSTEM SET synchronous_standby_names = '"+name+"'")
	s.exec(s.t, "SELECT pg_reload_conf()")
	Eventually(s.t, time.Minute, "the server to wait for the standby "+name, func() bool {
		ctx := within(s.t, apiTimeout)
		conn, err := pgx.Connect(ctx, s.URL())
		check(s.t, err)
		defer func() { check(s.t, conn.Close(ctx)) }()
		var is bool
		check(s.t, conn.QueryRow(ctx, settled).Scan(&is))
		return is
	})
}

// Pause keeps the standby from confirming anything, until Resume.
func (s *Standby) Pause() { s.t.Helper(); check(s.t, s.receiver.Pause()) }

// Resume lets the standby go on after Pause.
func (s *Standby) Resume() { s.t.Helper(); check(s.t, s.receiver.Resume()) }
