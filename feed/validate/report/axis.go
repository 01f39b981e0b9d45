package report

import "time"

// tick is a time on an axis that is 1 long.
type tick struct {
	at    float64
	label string
}

// tickSteps are the distances that ticks may have.
var tickSteps = [...]time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	day, 2 * day, 7 * day, 14 * day, 28 * day, 91 * day, 364 * day,
}

const day = 24 * time.Hour

// mostTicks fit on a phone.
const mostTicks = 6

// ticks returns times between from and from + length that are good to read.
func ticks(from time.Time, length time.Duration) []tick {
	step := tickSteps[len(tickSteps)-1]
	for _, s := range tickSteps {
		if length/s <= mostTicks {
			step = s
			break
		}
	}
	for year := step; length/step > mostTicks; {
		step += year
	}
	var all []tick
	for at := from.UTC().Truncate(step); at.Sub(from) < length; at = at.Add(step) {
		if at.Before(from) {
			continue
		}
		all = append(all, tick{float64(at.Sub(from)) / float64(length), tickLabel(at, step)})
	}
	return all
}

func tickLabel(at time.Time, step time.Duration) string {
	switch {
	case step >= 28*day:
		return at.Format("Jan 2006")
	case at.Truncate(day).Equal(at):
		return at.Format("2 Jan")
	case step < time.Minute:
		return at.Format("15:04:05")
	default:
		return at.Format("15:04")
	}
}

// axis draws the times above or below something as wide.
func (p *page) axis(c *picture) {
	p.put(`<svg class="axis" aria-hidden="true">`)
	for _, t := range ticks(c.from, c.step*time.Duration(c.columns)) {
		anchor := markup("start")
		if t.at > 0.85 {
			anchor = "end"
		}
		p.put(`<line x1="{}%" x2="{}%" y1="13" y2="18"/><text x="{}%" y="10" text-anchor="{}">{}</text>`, t.at*100, t.at*100, t.at*100, anchor, t.label)
	}
	p.put("</svg>")
}
