package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Listen opens the address of the server. Its error says what to do.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("admin server: %s is in use by another process, perhaps a feed: stop it, or write another admin.address (off for none)", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("admin server: this machine has no address %s: write another admin.address", address)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("admin server: not allowed to listen on %s: write a port above 1023 in admin.address", address)
	default:
		return nil, fmt.Errorf("admin server: %w: check admin.address", err)
	}
}

// local reports whether only this machine reaches an address.
func local(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
