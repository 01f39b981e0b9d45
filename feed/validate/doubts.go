package validate

// doubts are places that cannot be read, and the times that they may hold.
type doubts struct {
	spans []span // at most maxSpans
	list  []string
	more  int64           // that are not in list
	seen  map[string]bool // at most maxSeen
	all   span            // of the slice
}

// span is a time, in nanoseconds, to being the first one beyond.
type span struct{ from, to int64 }

const (
	maxSpans  = 1000
	maxPlaces = 100
	maxSeen   = 10_000
)

// add takes places, each of which comes with each read that meets it.
func (d *doubts) add(unreadable []Unreadable) {
	for i := range unreadable {
		u := &unreadable[i]
		s := d.all
		if !u.From.IsZero() || !u.To.IsZero() {
			s = span{nanos(u.From), nanos(u.To)}
		}
		if s.to <= d.all.from || s.from >= d.all.to {
			continue // nothing of this time stands there
		}
		text := u.Place.String()
		if u.Err != nil {
			text += ": " + u.Err.Error()
		}
		if d.seen[text] {
			continue
		}
		if len(d.seen) < maxSeen {
			d.seen[text] = true
		}
		if len(d.list) < maxPlaces {
			d.list = append(d.list, text)
		} else {
			d.more++
		}
		if len(d.spans) < maxSpans {
			d.spans = append(d.spans, s)
		} else { // one for many, which may doubt too much, never too little
			last := &d.spans[maxSpans-1]
			last.from, last.to = min(last.from, s.from), max(last.to, s.to)
		}
	}
}

func (d *doubts) at(time int64) bool {
	for _, s := range d.spans {
		if s.from <= time && time < s.to {
			return true
		}
	}
	return false
}
