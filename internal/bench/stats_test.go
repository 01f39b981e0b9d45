package main

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSummarize(t *testing.T) {
	tests := []struct {
		values []float64
		want   summary
	}{
		{[]float64{3}, summary{3, 3, 3}},
		{[]float64{2, 1}, summary{1.5, 1, 2}},
		{[]float64{5, 1, 9}, summary{5, 1, 9}},
		{[]float64{4, 1, 3, 2}, summary{2.5, 1, 4}},
	}
	for _, tt := range tests {
		if got := summarize(tt.values); got != tt.want {
			t.Errorf("summarize(%v) = %v, want %v", tt.values, got, tt.want)
		}
	}
	if got := summarize(nil); !math.IsNaN(got.median) || !math.IsNaN(got.min) || !math.IsNaN(got.max) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestMedianHalves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 20).Draw(t, "values")
		before := slices.Clone(values)
		s := summarize(values)
		if !slices.Equal(values, before) {
			t.Fatal("the values were changed")
		}
		below, above := 0, 0
		for _, v := range values {
			if v < s.min || v > s.max {
				t.Fatalf("%v is outside %v–%v", v, s.min, s.max)
			}
			if v < s.median {
				below++
			}
			if v > s.median {
				above++
			}
		}
		if below > len(values)/2 || above > len(values)/2 {
			t.Fatalf("%d below and %d above %v of %v", below, above, s.median, values)
		}
	})
}
