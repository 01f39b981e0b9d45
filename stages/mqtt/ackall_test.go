package mqtt

import (
	"bufio"
	"net"
	"sync"
	"testing"
)

// ackAll starts a broker that does nothing but acknowledge, cheaply and without
// allocating, so that a benchmark sees the sink. It returns its URL.
func ackAll(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var tasks sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	tasks.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, nc)
			mu.Unlock()
			tasks.Go(func() { ackConn(nc) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, nc := range open {
			nc.Close()
		}
		mu.Unlock()
		tasks.Wait()
	})
	return "mqtt://" + ln.Addr().String()
}

func ackConn(nc net.Conn) {
	defer nc.Close()
	in := bufio.NewReaderSize(nc, 128<<10)
	out := make([]byte, 0, 64<<10)
	for {
		if in.Buffered() == 0 && len(out) > 0 {
			if _, err := nc.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
		first, err := in.ReadByte()
		if err != nil {
			return
		}
		n, shift := 0, 0
		for {
			c, err := in.ReadByte()
			if err != nil {
				return
			}
			n |= int(c&0x7f) << shift
			if shift += 7; c < 0x80 {
				break
			}
		}
		switch first >> 4 {
		case 1:
			out = append(out, 0x20, 3, 0, 0, 0)
		case 12:
			out = append(out, 0xd0, 0)
		case 3:
			if first&0x06 == 0 {
				break
			}
			p, err := in.Peek(2)
			if err != nil {
				return
			}
			topic := int(p[0])<<8 | int(p[1])
			if p, err = in.Peek(2 + topic + 2); err != nil {
				return
			}
			out = append(out, 0x40, 2, p[2+topic], p[3+topic])
		}
		if _, err := in.Discard(n); err != nil {
			return
		}
	}
}
