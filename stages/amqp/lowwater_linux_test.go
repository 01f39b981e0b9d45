package amqp

import (
	"net"
	"syscall"
	"testing"
)

func TestLowWaterMark(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	noError(t, err)
	defer conn.Close()
	mark := lowWaterMark(conn)
	raw, err := conn.(*net.TCPConn).SyscallConn()
	noError(t, err)
	for _, want := range []int{restBytes, 1} {
		mark(want)
		noError(t, raw.Control(func(fd uintptr) {
			if got, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT); got != want || err != nil {
				t.Errorf("the mark is at %d, %v; want %d", got, err, want)
			}
		}))
	}
}
