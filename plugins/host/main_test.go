package host

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests; or the plugin of the tests, when it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv(handshakeConfig.MagicCookieKey) != "" {
		serveTestPlugin()
		return
	}
	goleak.VerifyTestMain(m)
}
