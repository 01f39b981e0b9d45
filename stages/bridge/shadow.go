package bridge

import (
	"fmt"
	"slices"

	"github.com/kraft-edge/datafeed/feed"
)

// shadowed reports rules that can never match because an earlier rule takes
// every message that they match. It errs on the side of silence: of patterns
// that mix text and captures it compares only equal ones.
func shadowed(rules []*rule) []error {
	var errs []error
	for j, later := range rules {
		if later == nil {
			continue
		}
		i := slices.IndexFunc(rules[:j], func(r *rule) bool { return r != nil && r.covers(later) })
		if i >= 0 {
			errs = append(errs, &feed.ConfigError{
				Key:     fmt.Sprintf("rules[%d].match", j),
				Problem: fmt.Sprintf("never matches: rules[%d] comes first and takes all that it would match", i),
				Remedy:  "move the more particular rule up, or delete one of them",
			})
		}
	}
	return errs
}

// covers reports whether r surely matches all that other matches.
func (r *rule) covers(other *rule) bool {
	if r.where != nil || !r.key.covers(&other.key) {
		return false
	}
	for i := range r.headers {
		h := &r.headers[i]
		ok := slices.ContainsFunc(other.headers, func(o header) bool {
			return o.name == h.name && h.pattern.covers(&o.pattern)
		})
		if !ok {
			return false
		}
	}
	for i := range r.fields {
		f := &r.fields[i]
		ok := slices.ContainsFunc(other.fields, func(o field) bool {
			return o.number == f.number && f.pattern.covers(&o.pattern)
		})
		if !ok {
			return false
		}
	}
	return true
}

func (k *key) covers(other *key) bool {
	switch {
	case !k.rest && (other.rest || len(k.parts) != len(other.parts)):
		return false
	case k.rest && len(other.parts) < len(k.parts):
		return false
	case k.rest && !other.rest && len(other.parts) == len(k.parts):
		return false // a rest is at least one part
	}
	for i := range k.parts {
		if !k.parts[i].covers(&other.parts[i]) {
			return false
		}
	}
	return true
}

func (p *text) covers(other *text) bool {
	if p.any() {
		return true
	}
	if lit, ok := other.literal(); ok {
		return p.match(lit, new(values))
	}
	return slices.Equal(p.literals, other.literals)
}
