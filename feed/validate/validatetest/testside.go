package validatetest

import (
	"testing"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// SideUnderTest is a side over a place of its own, and what a test needs around
// it.
type SideUnderTest struct {
	Side validate.Side
	// Put stores readings, so that a Read that begins after it sees them. Their
	// times are within a day around [Noon]; no two have the same device, tag, time
	// and seq.
	Put func(t testing.TB, rs ...reading.Reading)
	// PutTwice stores a reading so that it is there twice. It is nil if, and only
	// if, the side's traits say that the place cannot hold one twice.
	PutTwice func(t testing.TB, r reading.Reading)
	// PutUnreadable stores something that no reading can be made of, at Noon. It is
	// nil when such a thing is an error of Read, or cannot be there.
	PutUnreadable func(t testing.TB)
	// Down makes the place unreachable, and Up reachable again. Both are nil when
	// it always is reachable.
	Down, Up func(t testing.TB)
	// Others are sides with other settings, or of other places, of which a read may
	// hand out something else.
	Others []validate.Side
	// Secret is a text that nothing may show; "" is none.
	Secret string
	// Many is how many readings take more than two pages; 0 is 3000.
	Many int
}

// TestSide proves that a side keeps the contract of [validate.Side]. open returns
// an empty place; what it opens it closes after the test, Side excepted.
func TestSide(t *testing.T, open func(t *testing.T) SideUnderTest) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Side.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			c.check(t, s)
		})
	}
}

// check is one property of a side, over a place that is empty.
type check struct {
	name  string
	check func(testing.TB, SideUnderTest)
}

var checks = []check{
	{"Empty", checkEmpty},
	{"Settings", checkSettings},
	{"Bounds", checkBounds},
	{"Filters", checkFilters},
	{"Names", checkNames},
	{"Identity", checkIdentity},
	{"Values", checkValues},
	{"Copies", checkCopies},
	{"Many", checkMany},
	{"Fresh", checkFresh},
	{"Concurrent", checkConcurrent},
	{"TakeFails", checkTakeFails},
	{"Cancel", checkCancel},
	{"Unreadable", checkUnreadable},
	{"Down", checkDown},
	{"Close", checkClose},
}
