package wire

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A list of nothing takes two bytes for each of its parts, and up to 160 once it is
// decoded. So what is decoded by generated code may have so many parts of lists, at
// all depths together; messages of few bytes are not counted.
const (
	maxParts  = 1 << 20
	uncounted = 64 << 10 // bytes
)

// unmarshalBounded decodes a message of generated code that is not too much memory.
func unmarshalBounded(b []byte, into proto.Message) error {
	if len(b) > uncounted {
		if err := newCounter(maxParts).count(b, into.ProtoReflect().Descriptor()); err != nil {
			return err
		}
	}
	return proto.Unmarshal(b, into)
}

// counter counts the parts of lists.
type counter struct {
	left  int
	lists map[protoreflect.FullName]bool // whether there are any within a message
}

func newCounter(most int) *counter {
	return &counter{left: most, lists: map[protoreflect.FullName]bool{}}
}

func (c *counter) count(b []byte, of protoreflect.MessageDescriptor) error {
	return fields(b, func(f field) error {
		known := of.Fields().ByNumber(f.number)
		if known == nil {
			return nil
		}
		if known.Cardinality() == protoreflect.Repeated {
			if c.left--; c.left < 0 {
				return fmt.Errorf("it has more than %d parts of lists", maxParts)
			}
		}
		if inner := known.Message(); inner != nil && c.hasLists(inner) {
			return c.count(f.bytes, inner)
		}
		return nil
	})
}

// hasLists reports whether there can be lists within a message. None of the protocol
// contains itself.
func (c *counter) hasLists(of protoreflect.MessageDescriptor) bool {
	has, known := c.lists[of.FullName()]
	if known {
		return has
	}
	for i := range of.Fields().Len() {
		f := of.Fields().Get(i)
		has = has || f.Cardinality() == protoreflect.Repeated || f.Message() != nil && c.hasLists(f.Message())
	}
	c.lists[of.FullName()] = has
	return has
}
