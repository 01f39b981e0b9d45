package remote

import (
	"fmt"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// grace is how long a plugin that was cancelled may take to say so.
const grace = 2 * time.Second

// canceller tells a plugin once that nobody waits for an answer any longer: one that
// waits for a place that it cannot reach is no hung process. A Cancel that is sent
// behind the answer would be taken for that of the next one.
type canceller struct {
	send func() // when it fails, so does what is received

	mu   sync.Mutex
	over bool
	why  error
}

// cancel sends Cancel if there is no answer yet.
func (c *canceller) cancel(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.over, c.why = true, why
		c.send()
	}
}

// answered says that there is an answer, or will be none. It returns why it was
// cancelled, nil when it was not.
func (c *canceller) answered() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	return c.why
}

// notDone is why an answer is cancelled whose time is up.
func notDone(i *instance, limit time.Duration) error {
	return fmt.Errorf("%s was not done within %v", i, limit)
}

// cancelled puts into a failure, if there is one, why its answer was cancelled.
func cancelled(f *pluginpb.Failure, why error) {
	if f != nil && why != nil {
		f.Text = fmt.Sprintf("%v: %s", why, f.Text)
	}
}
