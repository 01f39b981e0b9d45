//go:build !linux

package mqtt

import "net"

// quickAcker has a use on Linux only.
func quickAcker(net.Conn) func() { return nil }
