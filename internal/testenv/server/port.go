package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// lowestPort is where the search for free ports begins. It ends below the ephemeral range, out of which the kernel
// takes the local ports of connections: there, any connection could take the port of a server that is stopped for a
// while, and a client that dials it in vain may even end up connected to itself.
const lowestPort = 15000

// Ports is a set of reserved ports. The zero value holds none.
type Ports struct {
	mu    sync.Mutex
	holds []net.Listener
}

// Reserve returns a port of 127.0.0.1 on which nothing listens, and which no other process that reserves ports this way
// will use before Release. The reservation is a name in the kernel's abstract socket namespace: it ends with the
// process, leaves no file behind, and covers a server that is stopped for a while.
func (p *Ports) Reserve() (int, error) {
	ceiling := ephemeralFloor()
	for range 200 {
		port := lowestPort + rand.IntN(ceiling-lowestPort)
		if ok, err := p.tryReserve(port); err != nil || ok {
			return port, err
		}
	}
	return 0, fmt.Errorf("reserve port: no free one found between %d and %d", lowestPort, ceiling)
}

// tryReserve reports whether a port was free and is reserved now.
func (p *Ports) tryReserve(port int) (bool, error) {
	hold, err := net.Listen("unix", "@datafeed-port-"+strconv.Itoa(port))
	if err != nil {
		return false, nil //nolint:nilerr // another process has reserved it
	}
	probe, err := net.Listen("tcp", Address(port))
	if err == nil {
		err = probe.Close()
	} else if errors.Is(err, syscall.EADDRINUSE) {
		return false, hold.Close()
	}
	if err != nil {
		return false, fmt.Errorf("reserve port %d: %w", port, errors.Join(err, hold.Close()))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, hold)
	return true, nil
}

// Release gives up all reserved ports. It may be called more than once.
func (p *Ports) Release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, hold := range p.holds {
		errs = append(errs, hold.Close())
	}
	p.holds = nil
	return errors.Join(errs...)
}

// reserveAll stores a reserved port in each of the variables.
func (p *Ports) reserveAll(into ...*int) error {
	for _, port := range into {
		var err error
		if *port, err = p.Reserve(); err != nil {
			return err
		}
	}
	return nil
}

func ephemeralFloor() int {
	const usual = 32768
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var low, high int
	if _, err := fmt.Sscan(string(data), &low, &high); err != nil || low < lowestPort+1000 {
		return usual
	}
	return low
}

// Address is the host and port of a server of this package.
func Address(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
