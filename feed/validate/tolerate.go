package validate

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// number is a reading whose value may differ from another's within the tolerance,
// when all else is equal.
type number struct {
	*held
	quality, site, line string
	f                   float64
	whole               bool // an integer: those are exact among themselves
	again               bool // one that says the same stands before it
}

// tolerate pairs what says nearly the same, and finds what was observed beyond that
// and says nearly the same as another. What is near a number lies around it, so
// that going through numbers in order is enough.
func (r *run) tolerate(d *doubtful, u *unpaired) {
	if r.Tolerance == (Tolerance{}) || len(u.o)+len(u.duplicates) == 0 {
		return
	}
	var rest [2][]number // floats and integers, that were observed
	u.o = r.numbers(&rest, u.o, false)
	u.duplicates = r.numbers(&rest, u.duplicates, true)
	for _, list := range []*[]*held{&u.e, &u.copies} {
		var of [2][]number
		*list = r.numbers(&of, *list, false)
		e := slices.Concat(of[0], of[1])
		slices.SortStableFunc(e, number.compare)
		for _, x := range r.partners(d, u, e, &rest) {
			*list = append(*list, x.held)
		}
	}
	var said [2][]number
	r.numbers(&said, u.pairs, false)
	o := slices.Concat(rest[0], rest[1])
	slices.SortStableFunc(o, number.compare)
	var news [2]*number
	for i := range o {
		x := &o[i]
		if x.again || r.among(x, &said) || r.nearly(x, news[0]) || r.nearly(x, news[1]) {
			u.duplicates = append(u.duplicates, x.held)
			continue
		}
		u.o = append(u.o, x.held)
		news[x.kind()] = x
	}
}

// numbers adds those of a list to floats and integers in their order, and returns
// the readings to which no tolerance applies.
func (r *rules) numbers(to *[2][]number, list []*held, again bool) (others []*held) {
	for _, h := range list {
		f, _, ok := asFloat(h.Value)
		whole := h.Value.Kind() == reading.Int
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) || whole && r.Numbers == NumbersTyped {
			others = append(others, h)
			continue
		}
		x := number{held: h, f: f, whole: whole, again: again}
		for _, is := range []struct {
			compared bool
			text     *string
			of       string
		}{{r.quality, &x.quality, h.Quality}, {r.site, &x.site, h.Site}, {r.line, &x.line, h.Line}} {
			if is.compared {
				*is.text = r.text(is.of)
			}
		}
		to[x.kind()] = append(to[x.kind()], x)
	}
	for i := range to {
		slices.SortStableFunc(to[i], number.compare)
	}
	return others
}

// partners pairs expected numbers, which stand in their order, with observed ones. It
// returns those that are left, and leaves in o what is left there.
func (r *run) partners(d *doubtful, u *unpaired, e []number, o *[2][]number) (left []number) {
	var skipped [2][]number
	take := func(x *number, kind int) bool {
		for len(o[kind]) > 0 {
			y := &o[kind][0]
			if r.nearly(x, y) {
				r.matched(d, y.held)
				u.pairs = append(u.pairs, y.held)
				o[kind] = o[kind][1:]
				return true
			}
			if y.compare(*x) >= 0 {
				return false
			}
			skipped[kind] = append(skipped[kind], *y) // too small for all to come, too
			o[kind] = o[kind][1:]
		}
		return false
	}
	for i := range e {
		x := &e[i]
		// Only a float is near an integer.
		if !(!x.whole && take(x, 1) || take(x, 0)) {
			left = append(left, *x)
		}
	}
	for kind := range o {
		o[kind] = append(skipped[kind], o[kind]...)
	}
	return left
}

// among says whether x is near one of others: then it is near a neighbour.
func (r *rules) among(x *number, others *[2][]number) bool {
	for _, of := range others {
		i, _ := slices.BinarySearchFunc(of, *x, number.compare)
		if i < len(of) && r.nearly(x, &of[i]) || i > 0 && r.nearly(x, &of[i-1]) {
			return true
		}
	}
	return false
}

func (r *rules) nearly(x, y *number) bool {
	return y != nil && !(x.whole && y.whole) && x.alike(y) == 0 && r.near(x.f, y.f)
}

func (x number) kind() int {
	if x.whole {
		return 1
	}
	return 0
}

func (x number) alike(y *number) int {
	return cmp.Or(strings.Compare(x.quality, y.quality), strings.Compare(x.site, y.site), strings.Compare(x.line, y.line))
}

func (x number) compare(y number) int { return cmp.Or(x.alike(&y), cmp.Compare(x.f, y.f)) }
