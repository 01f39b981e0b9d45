package simulate

import "strconv"

// scans says which tags a device reads in which of its samples: fast ones in
// each, slow ones now and then, in turns. It is the same for all devices.
type scans struct {
	names []string // of the tags
	order []slot   // the readings of period samples
}

// slot is a reading of a tag in one of period samples.
type slot struct{ scan, tag int32 }

func newScans(tags int) *scans {
	s := &scans{names: make([]string, tags)}
	for i := range s.names {
		s.names[i] = signals[i%len(signals)].name
		if n := i/len(signals) + 1; n > 1 {
			s.names[i] += strconv.Itoa(n)
		}
	}
	for scan := range period {
		for i := range s.names {
			if (scan+i)%signals[i%len(signals)].every == 0 {
				s.order = append(s.order, slot{int32(scan), int32(i)})
			}
		}
	}
	return s
}

// mean returns the readings of a sample, on average.
func (s *scans) mean() float64 { return float64(len(s.order)) / period }

// find returns the sample of a reading by its index, and its place in order.
func (s *scans) find(index int64) (scan int64, slot int) {
	n := int64(len(s.order))
	slot = int(index % n)
	return index/n*period + int64(s.order[slot].scan), slot
}
