package bridge

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// rule is a [Rule] ready to match.
type rule struct {
	key     key
	headers []header      // by name
	fields  []field       // by number
	want    jsonscan.Mask // the pointers of fields
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

// compileRule makes r ready to match, and adds the pointers of its fields to
// those of all rules. The keys of its errors are relative to the rule.
func compileRule(r *Rule, c *Config, pointers *jsonscan.Pointers) (*rule, []*feed.ConfigError) {
	var errs []*feed.ConfigError
	bad := func(key, remedy string, err error) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: err.Error(), Remedy: remedy})
	}
	n := newNames()
	compiled := &rule{}
	var err error
	n.key = "match"
	if compiled.key, err = parseKey(r.Match, c.Separator[0], n); err != nil {
		bad("match", "", err)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		if name == feed.MetaTopic {
			bad("headers."+name, "use match for it", fmt.Errorf("the topic is no header"))
			continue
		}
		n.key = "headers." + name
		p, err := parseText(r.Headers[name], n)
		if err != nil {
			bad(n.key, "", err)
		}
		compiled.headers = append(compiled.headers, header{name, p})
	}
	for _, pointer := range slices.Sorted(maps.Keys(r.Fields)) {
		n.key = fieldKey(pointer)
		number, err := pointers.Add(pointer)
		if err != nil {
			bad(n.key, "write a JSON Pointer such as /device or /values/0/x", err)
			continue
		}
		p, err := parseText(r.Fields[pointer], n)
		if err != nil {
			bad(n.key, "", err)
		}
		compiled.fields = append(compiled.fields, field{number, p})
		compiled.want |= jsonscan.Bit(number)
	}
	slices.SortFunc(compiled.fields, func(a, b field) int { return a.number - b.number })
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
				bad(n.keys[name], "write * for what is not needed", fmt.Errorf("{%s} is captured and never used", name))
			}
		}
	}
	return compiled, errs
}

// fieldKey returns the key of a field in the configuration.
func fieldKey(pointer string) string {
	if pointer == "" || strings.ContainsAny(pointer, ".[]\"\\") {
		// The reader of keys ends the name at the first bracket.
		return "fields[" + strings.ReplaceAll(strconv.Quote(pointer), "]", `\x5d`) + "]"
	}
	return "fields." + pointer
}

// literalBytes returns the bytes of the template's own text.
func literalBytes(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		n += len(p.literal)
	}
	return n
}
