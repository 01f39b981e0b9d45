//go:build !linux

package amqp

import "net"

// lowWaterMark is known to work on Linux only.
func lowWaterMark(net.Conn) func(bytes int) { return nil }
