package amqp

import (
	"net"
	"syscall"
)

// lowWaterMark returns a function that sets how many bytes must have arrived
// before who waits for a socket is woken (SO_RCVLOWAT, socket(7)), or nil for
// what is no socket. The kernel enlarges the receive buffer when it is smaller
// than twice the mark, and leaves it so. A hint only: errors do no harm.
func lowWaterMark(conn net.Conn) func(bytes int) {
	t, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return nil
	}
	var mark int
	set := func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, mark)
	}
	return func(bytes int) {
		mark = bytes
		_ = raw.Control(set)
	}
}
