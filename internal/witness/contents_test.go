package witness

import (
	"testing"

	"github.com/kraft-edge/datafeed/feed/reading"
)

func TestDiffer(t *testing.T) {
	at := func(seq uint64, value float64) reading.Reading {
		return reading.Reading{Device: "press7", Tag: "t", Time: int64(seq), Seq: seq, Value: reading.OfFloat(value)}
	}
	of := func(rs ...reading.Reading) *Contents {
		c := NewContents()
		for i := range rs {
			c.AddJSON(rs[i].AppendJSON(nil))
		}
		return c
	}
	truth := of(at(1, 1), at(2, 2), at(3, 3))
	if truth.Distinct() != 3 {
		t.Errorf("%d different readings", truth.Distinct())
	}
	if d := Differ(truth, of(at(3, 3), at(2, 2), at(1, 1), at(2, 2))); !d.Equal() || d.Repeated != 1 || d.Expected != 3 {
		t.Errorf("repeated: %+v", d)
	}
	for name, c := range map[string]*Contents{
		"missing": of(at(1, 1), at(2, 2)), "extra": of(at(1, 1), at(2, 2), at(3, 3), at(4, 4)),
		"altered": of(at(1, 1), at(2, 7), at(3, 3)), "altered later": of(at(1, 1), at(2, 2), at(3, 3), at(3, 4)),
	} {
		if d := Differ(truth, c); d.Equal() || d.Missing+d.Extra+d.Altered != 1 {
			t.Errorf("%s: %+v", name, d)
		}
	}
	bad := of(at(1, 1), at(2, 2), at(3, 3))
	bad.AddJSON([]byte("{}"))
	if d := Differ(truth, bad); d.Equal() || d.Unreadable != 1 || d.FirstBad == "" {
		t.Errorf("unreadable: %+v", d)
	}
}
