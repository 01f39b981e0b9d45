package server

import (
	"net"
	"testing"
)

func TestReservedPortsDifferAndAreOutsideTheEphemeralRange(t *testing.T) {
	var first, second Ports
	seen := map[int]bool{}
	for range 100 {
		for _, p := range []*Ports{&first, &second} {
			port, err := p.Reserve()
			if err != nil {
				t.Fatal(err)
			}
			if seen[port] {
				t.Fatalf("port %d was reserved twice", port)
			}
			if port < lowestPort || port >= ephemeralFloor() {
				t.Fatalf("port %d is outside [%d, %d)", port, lowestPort, ephemeralFloor())
			}
			seen[port] = true
		}
	}
	for range 2 {
		for _, p := range []*Ports{&first, &second} {
			if err := p.Release(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestReserveSkipsPortsInUse(t *testing.T) {
	var taken, others Ports
	port, err := taken.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	// Without the reservation, only the listener shows that the port is in use.
	if err := taken.Release(); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", Address(port))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if free, err := others.tryReserve(port); err != nil || free {
		t.Errorf("reserve a port in use: %v, %v", free, err)
	}
}
