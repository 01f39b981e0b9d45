package bridge

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// rule is a [Rule] ready to match.
type rule struct {
	key     key
	headers []header // by name
	topic   []piece
	set     []setting // by name
}

type header struct {
	name    string
	pattern text
}

type setting struct {
	name     string
	template []piece
}

// matchHeaders reports whether all headers are there and match, and captures.
func (r *rule) matchHeaders(md message.Metadata, v *values) bool {
	for i := range r.headers {
		value, ok := md[r.headers[i].name]
		if !ok || !r.headers[i].pattern.match(value, v) {
			return false
		}
	}
	return true
}

// compileRule makes r ready to match. The keys of its errors are relative to
// the rule.
func compileRule(r *Rule, c *Config) (*rule, []*feed.ConfigError) {
	var errs []*feed.ConfigError
	bad := func(key, remedy string, err error) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: err.Error(), Remedy: remedy})
	}
	n := newNames()
	compiled := &rule{}
	var err error
	if compiled.key, err = parseKey(r.Match, c.Separator[0], n); err != nil {
		bad("match", "", err)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		if name == feed.MetaTopic {
			bad("headers."+name, "use match for it", fmt.Errorf("the topic is no header"))
			continue
		}
		p, err := parseText(r.Headers[name], n)
		if err != nil {
			bad("headers."+name, "", err)
		}
		compiled.headers = append(compiled.headers, header{name, p})
	}
	if len(errs) > 0 {
		return nil, errs // which names there are is not known
	}
	if compiled.topic, err = parseTopic(r.Topic, n, c.EscapeDots); err != nil {
		bad("topic", "", err)
	} else if size := literalBytes(compiled.topic); size > c.MaxTopicBytes && c.MaxTopicBytes > 0 {
		bad("topic", "raise maxTopicBytes or shorten it", fmt.Errorf("its own text has %d bytes, more than maxTopicBytes %d", size, c.MaxTopicBytes))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Set)) {
		if name == feed.MetaTopic || name == "" {
			bad("set."+name, "name another metadata key", fmt.Errorf("%q cannot be set here", name))
			continue
		}
		t, err := parseTemplate(r.Set[name], n)
		if err != nil {
			bad("set."+name, "", err)
		}
		if len(t) == 0 {
			t = []piece{{slot: anonymous}} // the empty text
		}
		compiled.set = append(compiled.set, setting{name, t})
	}
	if len(errs) == 0 {
		for _, name := range slices.Sorted(maps.Keys(n.slots)) {
			if !n.used[name] {
				bad("match", "write * for what is not needed", fmt.Errorf("{%s} is captured and never used", name))
			}
		}
	}
	return compiled, errs
}

// literalBytes returns the bytes of the template's own text.
func literalBytes(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		n += len(p.literal)
	}
	return n
}
