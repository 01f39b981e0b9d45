package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// The MQTT packet types that dyingBroker knows, in the upper half of a packet's
// first byte.
const (
	packetConnect = 1
	packetPublish = 3
	packetPing    = 12
)

// dyingBroker starts an MQTT broker that takes connections and ends for good
// with the first message that it is sent: a sink that goes down while
// deliveries are in flight. It returns its address.
func dyingBroker(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			if serveUntilPublish(conn) {
				_ = l.Close() // from now on connections are refused
			}
			_ = conn.Close() // the client sees it
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // closed already, unless the test failed
		serving.Wait()
	})
	return l.Addr().String()
}

// serveUntilPublish answers a client until it publishes, which it reports, or
// is gone.
func serveUntilPublish(conn net.Conn) (published bool) {
	r := bufio.NewReader(conn)
	for {
		first, err := r.ReadByte()
		if err != nil {
			return false
		}
		length, err := binary.ReadUvarint(r) // MQTT writes lengths in this way too
		if err != nil {
			return false
		}
		if _, err := io.CopyN(io.Discard, r, int64(length)); err != nil {
			return false
		}
		var answer []byte
		switch first >> 4 {
		case packetConnect:
			answer = []byte{0x20, 3, 0, 0, 0} // CONNACK, success, no properties
		case packetPing:
			answer = []byte{0xd0, 0}
		case packetPublish:
			return true
		}
		if _, err := conn.Write(answer); err != nil {
			return false
		}
	}
}
