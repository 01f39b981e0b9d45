package testenv

import (
	"testing"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// Address returns a host and port on which nothing listens, for a process that may be started again and again. Until the
// test ends nobody else is given it, not even as the local port of a connection.
func Address(t testing.TB) string {
	t.Helper()
	var ports server.Ports
	port, err := ports.Reserve()
	check(t, err)
	t.Cleanup(func() { check(t, ports.Release()) })
	return server.Address(port)
}
