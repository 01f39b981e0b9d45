package bridge

import (
	"strings"
	"sync"
)

// maxCachedKey is the longest key that is remembered: that of AMQP.
const maxCachedKey = 255

// result is what a rule made of a message.
type result struct {
	topic string
	rule  *rule
	set   []string // parallel to rule.set
}

// remembered is a result that the routing key alone decided.
type remembered struct {
	key string
	result
}

// cache remembers results by routing key, at most size of them, in two
// generations: when the young one has filled half of the size it becomes the
// old one, and what was in the old one and not used since is forgotten.
type cache struct {
	half int

	mu         sync.Mutex
	young, old map[string]*remembered
}

// newCache returns nil when nothing is to be remembered.
func newCache(size int) *cache {
	if size == 0 {
		return nil
	}
	return &cache{half: max(1, size/2), young: map[string]*remembered{}}
}

// get returns the result for key, or nil.
func (c *cache) get(key string) *remembered {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.young[key]
	if !ok {
		if r, ok = c.old[key]; ok {
			c.insert(r)
		}
	}
	return r
}

// put remembers r for key. It copies what may be a piece of something large.
func (c *cache) put(key string, r result) {
	if len(key) > maxCachedKey {
		return
	}
	set := make([]string, len(r.set))
	for i, s := range r.set {
		set[i] = strings.Clone(s)
	}
	r.set = set
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insert(&remembered{strings.Clone(key), r})
}

func (c *cache) insert(r *remembered) {
	if len(c.young) >= c.half {
		c.old, c.young = c.young, make(map[string]*remembered, c.half)
	}
	c.young[r.key] = r
}
