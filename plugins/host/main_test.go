package host

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/plugins/internal/wire"
)

// TestMain runs the tests; or the plugin of the tests, when it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv(wire.Handshake.MagicCookieKey) != "" {
		serveTestPlugin()
		return
	}
	if of := os.Getenv(hostOf); of != "" {
		serveHost(of)
	}
	goleak.VerifyTestMain(m)
}
