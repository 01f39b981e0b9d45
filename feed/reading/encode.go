package reading

import (
	"math"
	"strconv"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// AppendJSON appends a reading as a JSON object. It allocates only when dst is
// too small. A reading that is not valid is written all the same, but may not be
// read back.
func (r *Reading) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	if r.Site != "" {
		dst = append(jsonscan.AppendQuoted(append(dst, `"site":`...), r.Site), ',')
	}
	if r.Line != "" {
		dst = append(jsonscan.AppendQuoted(append(dst, `"line":`...), r.Line), ',')
	}
	dst = jsonscan.AppendQuoted(append(dst, `"device":`...), r.Device)
	dst = jsonscan.AppendQuoted(append(dst, `,"tag":`...), r.Tag)
	dst = append(dst, `,"ts":"`...)
	dst = appendTime(dst, r.Time)
	dst = append(dst, `","value":`...)
	dst = r.Value.AppendJSON(dst)
	dst = jsonscan.AppendQuoted(append(dst, `,"quality":`...), r.Quality)
	dst = strconv.AppendUint(append(dst, `,"seq":`...), r.Seq, 10)
	return append(dst, '}')
}

// AppendJSON appends a value as it stands in a reading's JSON.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case Float:
		return appendFloat(dst, math.Float64frombits(v.bits))
	case Int:
		return strconv.AppendInt(dst, int64(v.bits), 10)
	case Bool:
		return strconv.AppendBool(dst, v.bits != 0)
	case Text:
		return jsonscan.AppendQuoted(dst, v.text)
	}
	return append(dst, "null"...)
}

// appendFloat appends the shortest number that is read back as f, with a point or
// an exponent.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		dst = append(dst, `{"float":"`...)
		for shift := 60; shift >= 0; shift -= 4 {
			dst = append(dst, lowerHex[math.Float64bits(f)>>shift&15])
		}
		return append(dst, `"}`...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

const lowerHex = "0123456789abcdef"
