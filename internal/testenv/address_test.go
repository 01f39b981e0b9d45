package testenv_test

import (
	"net"
	"testing"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

func TestAddressIsFree(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		addr := testenv.Address(t)
		if seen[addr] {
			t.Errorf("%s was given twice", addr)
		}
		seen[addr] = true
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
