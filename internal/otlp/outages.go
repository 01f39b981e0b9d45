package otlp

import (
	"log/slog"
	"sync"

	"github.com/kraft-edge/datafeed/internal/httpclient"
)

// outages logs when a receiver begins to refuse, and when that is over.
type outages struct {
	logger *slog.Logger
	what   string

	mu   sync.Mutex
	down bool
}

// note notes how a request ended.
func (o *outages) note(err error) {
	o.mu.Lock()
	changed := o.down != (err != nil)
	o.down = err != nil
	o.mu.Unlock()
	switch {
	case !changed:
	case err != nil:
		o.logger.Warn("otlp: "+o.what+" are lost; messages go their way", "error", httpclient.Shown([]byte(err.Error())))
	default:
		o.logger.Info("otlp: " + o.what + " are sent again")
	}
}
