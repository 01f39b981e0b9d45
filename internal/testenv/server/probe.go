package server

import (
	"context"
	"net"
)

// dialable returns a probe that succeeds when a connection to the port can be made.
func dialable(port int) func(context.Context) error {
	return func(ctx context.Context) error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", Address(port))
		if err != nil {
			return err
		}
		return conn.Close()
	}
}
