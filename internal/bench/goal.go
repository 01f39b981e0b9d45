package main

import (
	"errors"
	"fmt"
)

// goal is what the feed is meant to reach, in the median.
type goal struct {
	metric metric
	limit  float64 // the highest, or for metrics of which more is better the lowest
	of     quantity
}

// quantity is what a goal is for.
type quantity int

const (
	ofRatio quantity = iota // the feed's value as a multiple of the baseline's
	ofValue                 // the feed's own value, in the metric's unit
	ofAdded                 // by how much that is more than the baseline's
)

func ratio(m metric, limit float64) goal    { return goal{metric: m, limit: limit} }
func absolute(m metric, limit float64) goal { return goal{metric: m, limit: limit, of: ofValue} }
func added(m metric, limit float64) goal    { return goal{metric: m, limit: limit, of: ofAdded} }

// check is a goal beside what was measured.
type check struct {
	of, what       string // the path, and what of it
	measured, goal string
	met            bool
}

// verdict is the word for people.
func (c check) verdict() string {
	if c.met {
		return "met"
	}
	return "missed"
}

// missed returns an error that names the goals that were missed.
func missed(checks []check) error {
	var errs []error
	for _, c := range checks {
		if !c.met {
			errs = append(errs, fmt.Errorf("goal missed: %s: %s %s, goal %s", c.of, c.what, c.measured, c.goal))
		}
	}
	return errors.Join(errs...)
}

// check compares a goal with a result.
func (g goal) check(r result) check {
	feed, baseline := r.path.sides()
	switch g.of {
	case ofValue:
		return g.compare(r.path.title, g.metric.name+" of the feed", r.feeds(g.metric))
	case ofAdded:
		return g.compare(r.path.title, g.metric.name+", "+feed+" − "+baseline, r.differences(g.metric))
	default:
		return g.compare(r.path.title, g.metric.name+", "+feed+" ÷ "+baseline, r.ratios(g.metric))
	}
}

// compare compares a goal with the values of something. What was not measured
// misses it.
func (g goal) compare(of, what string, values []float64) check {
	s := summarize(values)
	sign, met := "≤", s.median <= g.limit
	if g.metric.moreIsBetter {
		sign, met = "≥", s.median >= g.limit
	}
	if g.of != ofRatio {
		unit := " " + g.metric.unit
		return check{of: of, what: what, measured: spread(s, g.metric.format) + unit, goal: fmt.Sprintf("%s %g%s", sign, g.limit, unit), met: met}
	}
	return check{of: of, what: what, measured: spread(s, "%.2f"), goal: fmt.Sprintf("%s %.2f", sign, g.limit), met: met}
}
