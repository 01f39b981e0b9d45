package validate

import (
	"math/bits"
	"time"
)

// latencies is a histogram of durations whose buckets are an eighth of a power of
// two wide, so that a quantile is at most 12.5 % too high.
type latencies struct {
	Counts map[int]int64 `json:"counts"` // by bucket
	Max    time.Duration `json:"max"`
}

const perOctave = 8

// bucket returns the bucket of a duration; what is negative, because clocks
// differ, counts as 0.
func bucket(d int64) int {
	if d < perOctave {
		return int(max(d, 0))
	}
	shift := bits.Len64(uint64(d)) - 4 // leaves 8 to 15
	return perOctave*shift + int(d>>shift)
}

const buckets = perOctave*60 + 2*perOctave

// upTo is the longest duration of a bucket.
func upTo(bucket int) time.Duration {
	if bucket < 2*perOctave {
		return time.Duration(bucket)
	}
	shift := bucket/perOctave - 1
	return time.Duration(uint64(bucket-perOctave*shift+1)<<shift - 1)
}

func (l *latencies) merge(counts *[buckets]int64, longest int64) {
	for i, n := range counts {
		if n > 0 {
			l.Counts[i] += n
		}
	}
	l.Max = max(l.Max, time.Duration(longest))
}

// result returns nil when nothing told of its arrival.
func (l *latencies) result() *Latency {
	if len(l.Counts) == 0 {
		return nil
	}
	r := &Latency{Max: l.Max}
	for i := range buckets {
		if n := l.Counts[i]; n > 0 {
			r.Count += n
			r.Buckets = append(r.Buckets, Bucket{UpTo: upTo(i), Count: n})
		}
	}
	quantile := func(of float64) time.Duration {
		rank := int64(of * float64(r.Count))
		for _, b := range r.Buckets {
			if rank -= b.Count; rank < 0 {
				return min(b.UpTo, r.Max)
			}
		}
		return r.Max
	}
	r.P50, r.P95, r.P99 = quantile(.5), quantile(.95), quantile(.99)
	return r
}
