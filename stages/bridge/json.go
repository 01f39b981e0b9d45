package bridge

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// appendJSON appends the value of an expression. Bytes become base64, a time is
// written as in RFC 3339, a duration in seconds as "1.5s"; the members of an
// object stand in the order of their names.
func appendJSON(dst []byte, v ref.Val) ([]byte, error) {
	switch v := v.(type) {
	case types.Null:
		return append(dst, "null"...), nil
	case types.Bool:
		return strconv.AppendBool(dst, bool(v)), nil
	case types.Int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case types.Uint:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case types.Double:
		return appendDouble(dst, float64(v))
	case types.String:
		return jsonscan.AppendQuoted(dst, string(v)), nil
	case types.Bytes:
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), v), '"'), nil
	case types.Timestamp:
		return append(v.UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano), '"'), nil
	case types.Duration:
		return append(strconv.AppendFloat(append(dst, '"'), v.Seconds(), 'f', -1, 64), `s"`...), nil
	case traits.Mapper:
		return appendObject(dst, v)
	case traits.Lister:
		return appendArray(dst, v)
	}
	return nil, fmt.Errorf("it is a %s, which JSON has not", v.Type().TypeName())
}

func appendArray(dst []byte, list traits.Lister) (_ []byte, err error) {
	dst = append(dst, '[')
	first := true
	for i := list.Iterator(); i.HasNext() == types.True; first = false {
		if !first {
			dst = append(dst, ',')
		}
		if dst, err = appendJSON(dst, i.Next()); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendObject(dst []byte, object traits.Mapper) ([]byte, error) {
	type entry struct {
		name  string
		value ref.Val
	}
	var entries []entry
	for i := object.Iterator(); i.HasNext() == types.True; {
		key := i.Next()
		name, err := textOf(key)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name, object.Get(key)})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for i, e := range entries {
		if i > 0 {
			if entries[i-1].name == e.name {
				return nil, fmt.Errorf("two of its members are named %s", bounded(e.name, len(e.name)))
			}
			dst = append(dst, ',')
		}
		dst = append(jsonscan.AppendQuoted(dst, e.name), ':')
		var err error
		if dst, err = appendJSON(dst, e.value); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}
