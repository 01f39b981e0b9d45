package blob

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// extraReader makes readings of the sink's rows that have extra: the payload is
// put together again, with each member that stands in extra in the place of what
// its column holds of it.
type extraReader struct {
	again  row // what the sink makes of a member of extra
	json   []byte
	exact  [extraMembers][]byte // members that extra has
	parser reading.Parser
}

// The members of a payload in their order.
var payloadNames = [extraMembers]string{`"site"`, `"line"`, `"device"`, `"tag"`, `"ts"`, `"value"`, `"quality"`, `"seq"`}

// sinkMembers is where the members stand in rowReader.leaves; -1 is value.
var sinkMembers = [extraMembers]int{memberSite, memberLine, memberDevice, memberTag, memberTime, -1, memberQuality, memberSeq}

const extraMembers = 8

func (e *extraReader) reading(r *rowReader, i int) (reading.Reading, error) {
	clear(e.exact[:])
	e.again.begin(len(r.extra.buf[i].ByteArray()))
	var wrong error
	ok := jsonscan.Members(r.extra.buf[i].ByteArray(), func(name, value []byte) {
		if wrong == nil {
			wrong = e.member(name, value)
		}
	})
	switch {
	case !ok:
		return reading.Reading{}, fmt.Errorf("the column %s holds no JSON object", extraColumn)
	case wrong != nil:
		return reading.Reading{}, wrong
	case !e.agrees(r, i):
		return reading.Reading{}, fmt.Errorf("a member is there twice, in its column and in %s", extraColumn)
	}
	e.json = append(e.json[:0], '{')
	for k, name := range payloadNames {
		e.appendMember(r, i, k, name)
	}
	e.json = append(e.json, '}')
	return e.parser.Parse(e.json)
}

// member takes a member of extra. One that the sink would have put into its
// column alone was the second of its name.
func (e *extraReader) member(name, value []byte) error {
	for k, known := range payloadNames {
		if string(name) != known {
			continue
		}
		if e.exact[k] != nil || e.again.column(name, value) {
			return fmt.Errorf("%s is there twice", name)
		}
		e.exact[k] = value
		return nil
	}
	return fmt.Errorf("a reading has no member %.80s", name)
}

// agrees reports whether the columns of a row hold of the members of extra what
// the sink puts there of them.
func (e *extraReader) agrees(r *rowReader, i int) bool {
	for k := range payloadNames {
		if e.exact[k] == nil {
			continue
		}
		if m := sinkMembers[k]; m >= 0 {
			if !sameValue(e.again.values[sinkColumnOf[k]], r.leaves[m].buf[i]) {
				return false
			}
			continue
		}
		for n, c := range r.values {
			if !sameValue(e.again.values[colValue+n], c.buf[i]) {
				return false
			}
		}
	}
	return true
}

// sinkColumnOf are the numbers of the members' columns.
var sinkColumnOf = [extraMembers]int{colSite, colLine, colDevice, colTag, colTime, colValue, colQuality, colSeq}

func sameValue(a, b parquet.Value) bool {
	return a.IsNull() == b.IsNull() && (a.IsNull() || parquet.Equal(a, b))
}

// appendMember appends a member as extra has it, or else as its column does.
func (e *extraReader) appendMember(r *rowReader, i, k int, name string) {
	start := len(e.json)
	if start > 1 {
		e.json = append(e.json, ',')
	}
	e.json = append(append(e.json, name...), ':')
	if e.exact[k] != nil {
		e.json = append(e.json, e.exact[k]...)
		return
	}
	if sinkMembers[k] < 0 {
		e.appendValue(r, i)
		return
	}
	v := r.leaves[sinkMembers[k]].buf[i]
	switch {
	case v.IsNull():
		e.json = e.json[:start] // the payload had none
	case sinkMembers[k] == memberTime:
		e.json = append(e.json, '"')
		at := time.UnixMicro(v.Int64()).UTC()
		e.json = append(at.AppendFormat(e.json, time.RFC3339Nano), '"')
	case sinkMembers[k] == memberSeq:
		e.json = strconv.AppendInt(e.json, v.Int64(), 10)
	default:
		e.json = jsonscan.AppendQuoted(e.json, r.names.text(r.leaves[sinkMembers[k]], r.texts[sinkMembers[k]], v))
	}
}

// appendValue appends the value that the columns hold.
func (e *extraReader) appendValue(r *rowReader, i int) {
	n := len(e.json)
	for _, c := range r.values {
		v := c.buf[i]
		if v.IsNull() {
			continue
		}
		if len(e.json) > n {
			e.json = append(e.json, `,"value":`...) // which the parser refuses
		}
		switch v.Kind() {
		case parquet.ByteArray:
			e.json = jsonscan.AppendQuoted(e.json, string(v.ByteArray()))
		case parquet.Boolean:
			e.json = strconv.AppendBool(e.json, v.Boolean())
		default:
			e.json = appendNumber(e.json, v.Double())
		}
	}
	if len(e.json) == n {
		e.json = append(e.json, "null"...)
	}
}

// appendNumber appends what sinkNumber makes of f.
func appendNumber(dst []byte, f float64) []byte {
	v := sinkNumber(f)
	if v.Kind() == reading.Int {
		return strconv.AppendInt(dst, v.Int(), 10)
	}
	start := len(dst)
	if dst = strconv.AppendFloat(dst, f, 'g', -1, 64); !bytes.ContainsAny(dst[start:], ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}
