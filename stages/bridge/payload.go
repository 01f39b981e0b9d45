package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"cel.dev/cel-go/common/types/ref"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// Payload makes a new payload of the members of a JSON object.
type Payload struct {
	Select []string          `yaml:"select" doc:"Names of the members to keep, as they are written; without it all are kept, with [] none."`
	Fields map[string]string `yaml:"fields" doc:"Expressions in CEL by name of the member to add or to replace."`
}

func (p *Payload) empty() bool { return p.Select == nil && len(p.Fields) == 0 }

// maxPayloadFields is how many members a rule computes at most.
const maxPayloadFields = 64

// payload is a [Payload] ready to use.
type payload struct {
	key      string          // in the configuration
	selected map[string]bool // nil: all
	fields   []member        // by name
}

// member is one that an expression makes.
type member struct {
	name       string
	expression *expression
}

// rewrite returns the new payload made of b, which it leaves as it is. The
// variables may be nil if there are no fields.
func (p *payload) rewrite(b []byte, vars *variables) ([]byte, error) {
	computed := make([]ref.Val, len(p.fields))
	for i := range p.fields {
		var err error
		if computed[i], err = p.fields[i].expression.value(vars); err != nil {
			return nil, err
		}
	}
	var (
		dst      = append(make([]byte, 0, len(b)+64*len(p.fields)), '{')
		placed   uint64 // fields that stand in dst, by index
		firstErr error
		unquoted []byte
	)
	place := func(i int) {
		if placed&(1<<i) != 0 {
			return
		}
		placed |= 1 << i
		dst = append(jsonscan.AppendQuoted(separated(dst), p.fields[i].name), ':')
		with, err := appendJSON(dst, computed[i])
		if err != nil {
			if firstErr == nil {
				firstErr = p.fields[i].expression.failed(err)
			}
			return
		}
		dst = with
	}
	object := jsonscan.Members(b, func(quoted, value []byte) {
		name := quoted[1 : len(quoted)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			unquoted = jsonscan.AppendString(unquoted[:0], quoted)
			name = unquoted
		}
		if i := p.field(name); i >= 0 {
			place(i)
		} else if p.selected == nil || p.selected[string(name)] {
			dst = append(append(append(separated(dst), quoted...), ':'), value...)
		}
	})
	if !object {
		return nil, feed.Permanent(fmt.Errorf("%s: %w", p.key, noObject(b)))
	}
	for i := range p.fields {
		place(i)
	}
	return append(dst, '}'), firstErr
}

// field returns the index of the field of the given name, or -1.
func (p *payload) field(name []byte) int {
	return slices.IndexFunc(p.fields, func(f member) bool { return f.name == string(name) })
}

// separated appends the comma that a further member needs.
func separated(dst []byte) []byte {
	if len(dst) == 1 { // the brace
		return dst
	}
	return append(dst, ',')
}

// noObject says why b is no object.
func noObject(b []byte) error {
	if _, err := jsonscan.Decode(b, map[string]bool{}); err != nil {
		return fmt.Errorf("the payload is no JSON: %w", err)
	}
	return errors.New("the payload is JSON but no object")
}
