package bridge

import (
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// rule is a [Rule] ready to match.
type rule struct {
	key     key
	headers []header      // by name
	fields  []field       // by number
	want    jsonscan.Mask // the pointers of fields
	where   *expression   // or nil
	let     []computed    // by name
	topic   []piece
	set     []setting // by name
	drop    error     // a filter in place of a topic, or nil
	payload *payload  // or nil: as it is
	events  *events   // or nil: none

	perMessage bool // what it makes of one message holds for no other

	slots map[string]int // of what it captures, for expressions; nil if it has none
}

// computed is a value that an expression makes.
type computed struct {
	name       string
	slot       int
	expression *expression
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

// nameKey returns the key of an entry of a mapping in the configuration.
func nameKey(mapping, name string) string {
	if name == "" || strings.ContainsAny(name, ".[]\"\\") {
		// The reader of keys ends the name at the first bracket.
		return mapping + "[" + strings.ReplaceAll(strconv.Quote(name), "]", `\x5d`) + "]"
	}
	return mapping + "." + name
}

// literalBytes returns the bytes of the template's own text.
func literalBytes(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		n += len(p.literal)
	}
	return n
}
