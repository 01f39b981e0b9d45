package validate

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// rules are the declared ones together with what the two sides can tell at all.
type rules struct {
	Rules
	step                     int64 // times are rounded down to multiples of it
	site, line, quality, seq bool  // are compared
	arrival, ordered         bool  // the observation tells
}

// makeRules returns the rules, and a sentence for what a side cannot tell and is
// therefore not compared.
func makeRules(o Options, expect, observe Traits) (*rules, []string, error) {
	r := &rules{Rules: o.Rules, site: true, line: true, quality: true, seq: true, arrival: observe.Arrival, ordered: observe.Ordered}
	compared := map[string]*bool{"site": &r.site, "line": &r.line, "quality": &r.quality, "seq": &r.seq}
	for _, f := range o.Rules.Ignore {
		*compared[string(f)] = false
	}
	var blind []string
	step := max(o.Rules.Time, 1)
	for _, side := range []struct {
		name string
		Traits
	}{{"expectation", expect}, {"observation", observe}} {
		for _, lost := range side.Lost {
			is, ok := compared[lost]
			if !ok {
				return nil, nil, fmt.Errorf("validate: the %s says that it does not keep %q, which is none of site, line, quality and seq", side.name, lost)
			}
			*is = false
			blind = append(blind, fmt.Sprintf("The %s does not keep %s: it is not compared.", side.name, lost))
		}
		if side.TimeStep > o.Rules.Time && side.TimeStep > 1 {
			blind = append(blind, fmt.Sprintf("The %s keeps times to %s: what is finer is not compared.", side.name, side.TimeStep))
		}
		fine, coarse := min(step, max(side.TimeStep, 1)), max(step, side.TimeStep)
		if coarse%fine != 0 || o.Window%coarse != 0 {
			return nil, nil, fmt.Errorf("validate: the %s keeps times to %s, which does not go with times to %s and windows of %s: set rules.time and window to multiples of it", side.name, side.TimeStep, step, o.Window)
		}
		step = coarse
	}
	r.step = int64(step)
	return r, blind, nil
}

// sentences say what the rules are.
func (r *rules) sentences(o Options) []string {
	s := []string{fmt.Sprintf("A window is %s of a tag of a device, and is judged when the expectation's watermark is %s beyond its end.", o.Window, o.Lateness)}
	if r.seq {
		s = append(s, "A reading is known by device, tag, time and sequence number; one that is found with another time is altered.")
	} else {
		s = append(s, "A reading is known by device, tag and time.")
	}
	if r.step > 1 {
		s = append(s, fmt.Sprintf("Times are rounded down to %s.", time.Duration(r.step)))
	} else {
		s = append(s, "Times are compared to the nanosecond.")
	}
	if r.Numbers == NumbersTyped {
		s = append(s, "Integers and floats differ, and floats are compared to the bit.")
	} else {
		s = append(s, "1, 1.0 and 1e0 are the same number, 0 and -0 too, and any NaN is any other.")
	}
	if by := r.Tolerance.Absolute; by > 0 {
		s = append(s, fmt.Sprintf("Numbers of which one is a float may differ by %v.", by))
	}
	if by := r.Tolerance.Relative; by > 0 {
		s = append(s, fmt.Sprintf("Numbers of which one is a float may differ by %v times the larger one.", by))
	}
	switch r.Strings {
	case StringsNFC:
		s = append(s, "Texts are compared in Unicode's normal form C.")
	case StringsTrimmed:
		s = append(s, "Texts are compared in Unicode's normal form C, without white space at both ends.")
	default:
		s = append(s, "Texts are compared byte by byte.")
	}
	for _, f := range r.Ignore {
		s = append(s, fmt.Sprintf("%s is not compared.", f))
	}
	switch {
	case r.Late > 0 && r.arrival:
		s = append(s, fmt.Sprintf("What arrives more than %s after its time is late.", r.Late))
	case r.Late > 0:
		s = append(s, "The observation does not tell when readings arrived: none is called late.")
	}
	if !r.ordered {
		s = append(s, "The observation does not tell the order of arrival: nothing is called out of order.")
	}
	for _, v := range r.Tolerate {
		s = append(s, fmt.Sprintf("Verdict %s is tolerated.", v))
	}
	return s
}

func (r *rules) tolerates(v Verdict) bool { return slices.Contains(r.Tolerate, v) }

// time rounds down.
func (r *rules) time(nanos int64) int64 {
	if r.step <= 1 {
		return nanos
	}
	return floorDiv(nanos, r.step) * r.step
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (r *rules) text(s string) string {
	switch r.Strings {
	case StringsNFC:
		return norm.NFC.String(s)
	case StringsTrimmed:
		return strings.TrimSpace(norm.NFC.String(s))
	}
	return s
}

// append appends a form of a reading of a known device and tag that is the same
// for readings that say the same, without tolerance, and for no others.
func (r *rules) append(dst []byte, x *reading.Reading) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.time(x.Time)))
	if r.seq {
		dst = binary.LittleEndian.AppendUint64(dst, x.Seq)
	}
	if r.site {
		dst = r.appendText(dst, x.Site)
	}
	if r.line {
		dst = r.appendText(dst, x.Line)
	}
	if r.quality {
		dst = r.appendText(dst, x.Quality)
	}
	return r.appendValue(dst, x.Value)
}

func (r *rules) appendText(dst []byte, s string) []byte {
	s = r.text(s)
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func (r *rules) appendValue(dst []byte, v reading.Value) []byte {
	switch v.Kind() {
	case reading.Float:
		f := v.Float()
		if r.Numbers != NumbersTyped {
			if i, ok := integer(f); ok {
				return binary.LittleEndian.AppendUint64(append(dst, 'i'), uint64(i))
			}
			if math.IsNaN(f) {
				return append(dst, 'N')
			}
		}
		return binary.LittleEndian.AppendUint64(append(dst, 'f'), math.Float64bits(f))
	case reading.Int:
		return binary.LittleEndian.AppendUint64(append(dst, 'i'), uint64(v.Int()))
	case reading.Bool:
		if v.Bool() {
			return append(dst, 'b', 1)
		}
		return append(dst, 'b', 0)
	case reading.Text:
		return r.appendText(append(dst, 't'), v.Text())
	}
	return append(dst, '0')
}

// integer returns the integer that f is.
func integer(f float64) (int64, bool) {
	if !(f >= -1<<63 && f < 1<<63) {
		return 0, false
	}
	i := int64(f)
	return i, float64(i) == f
}

// differences names what two readings with the same device, tag and seq do not
// say the same of.
func (r *rules) differences(a, b *reading.Reading) (fields []string) {
	if r.time(a.Time) != r.time(b.Time) {
		fields = append(fields, "time")
	}
	if !r.sameValue(a.Value, b.Value) {
		fields = append(fields, "value")
	}
	if r.quality && r.text(a.Quality) != r.text(b.Quality) {
		fields = append(fields, "quality")
	}
	if r.site && r.text(a.Site) != r.text(b.Site) {
		fields = append(fields, "site")
	}
	if r.line && r.text(a.Line) != r.text(b.Line) {
		fields = append(fields, "line")
	}
	return fields
}

// sameValue compares as append does, and tolerates.
func (r *rules) sameValue(a, b reading.Value) bool {
	if a == b {
		return true
	}
	switch {
	case a.Kind() == reading.Text && b.Kind() == reading.Text:
		return r.text(a.Text()) == r.text(b.Text())
	case r.Numbers == NumbersTyped:
		return a.Kind() == reading.Float && b.Kind() == reading.Float && r.near(a.Float(), b.Float())
	}
	x, xInt, ok := asFloat(a)
	y, yInt, too := asFloat(b)
	if !ok || !too {
		return false
	}
	if math.IsNaN(x) || math.IsNaN(y) {
		return math.IsNaN(x) && math.IsNaN(y)
	}
	if xInt && yInt { // of which a float does not hold all
		if integerOf(a) == integerOf(b) {
			return true
		}
		return (a.Kind() == reading.Float || b.Kind() == reading.Float) && r.near(x, y)
	}
	return r.near(x, y)
}

// asFloat returns a number as a float, which is near it, and whether it is an
// integer.
func asFloat(v reading.Value) (f float64, isInt, ok bool) {
	switch v.Kind() {
	case reading.Int:
		return float64(v.Int()), true, true
	case reading.Float:
		_, isInt = integer(v.Float())
		return v.Float(), isInt, true
	}
	return 0, false, false
}

func integerOf(v reading.Value) int64 {
	if v.Kind() == reading.Int {
		return v.Int()
	}
	return int64(v.Float())
}

// near tolerates; without tolerance nothing that is not equal is near.
func (r *rules) near(a, b float64) bool {
	if math.IsInf(a, 0) || math.IsInf(b, 0) {
		return a == b
	}
	if r.Tolerance == (Tolerance{}) {
		return false
	}
	d := math.Abs(a - b)
	return d <= r.Tolerance.Absolute || d <= r.Tolerance.Relative*math.Max(math.Abs(a), math.Abs(b))
}
