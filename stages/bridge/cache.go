package bridge

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/kraft-edge/datafeed/internal/doorkeeper"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// maxCachedKey is the longest question that is remembered: that of a routing
// key of AMQP.
const maxCachedKey = 255

// result is what a rule made of a message.
type result struct {
	topic string
	rule  *rule
	set   []string // parallel to rule.set
}

// question is what decided a result: the routing key and, where rules ask for
// fields of the payload, their values.
type question struct {
	key    string
	fields string // as by appendFields; "" if there are none
}

// remembered is the answer to a question.
type remembered struct {
	question
	want jsonscan.Mask // not 0: these fields must be known; there is no result
	result
}

// cache remembers answers to questions that come again, at most size of them, in
// two generations: when the young one has filled half of the size it becomes the
// old one, and what was in the old one and not used since is forgotten.
type cache struct {
	half int
	seed maphash.Seed

	mu         sync.Mutex
	door       *doorkeeper.Doorkeeper
	young, old map[question]*remembered
}

// newCache returns nil when nothing is to be remembered.
func newCache(size int) *cache {
	if size == 0 {
		return nil
	}
	return &cache{half: max(1, size/2), seed: maphash.MakeSeed(), door: doorkeeper.New(size), young: map[question]*remembered{}}
}

// get returns the answer for a routing key and the values of fields, or nil.
func (c *cache) get(key string, fields []byte) *remembered {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Written in the brackets, the conversion copies nothing.
	r, ok := c.young[question{key, string(fields)}]
	if !ok {
		if r, ok = c.old[question{key, string(fields)}]; ok {
			c.insert(r)
		}
	}
	return r
}

// put remembers r when its question has come before. It copies what may be a
// piece of something large; the values of fields are a text of their own.
func (c *cache) put(r remembered) {
	if c == nil || len(r.key)+len(r.fields) > maxCachedKey || !c.comesAgain(r.question) {
		return
	}
	kept := &remembered{question{strings.Clone(r.key), r.fields}, r.want, r.result}
	kept.set = make([]string, len(r.set))
	for i, s := range r.set {
		kept.set[i] = strings.Clone(s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insert(kept)
}

func (c *cache) comesAgain(q question) bool {
	hash := maphash.Comparable(c.seed, q)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.door.Admit(hash)
}

func (c *cache) insert(r *remembered) {
	if len(c.young) >= c.half {
		c.old, c.young = c.young, make(map[question]*remembered, c.half)
	}
	c.young[r.question] = r
}
