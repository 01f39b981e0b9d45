package mqtt

import (
	"crypto/tls"
	"net"
	"syscall"
)

// quickAcker returns a function that makes the kernel send the TCP
// acknowledgement that it is holding back, or nil where there is none to hold
// back.
//
// Brokers that leave Nagle's algorithm on, as Mosquitto does, send the first
// PUBACK at once and keep the next ones until that one is acknowledged on the
// TCP level, which Linux delays by 40 ms when the client has nothing to send:
// at the end of each batch. A hint only: errors do no harm.
func quickAcker(nc net.Conn) func() {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return nil
	}
	set := func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	}
	return func() { _ = raw.Control(set) }
}
