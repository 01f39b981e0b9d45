package validate

// open is a window whose readings were compared one by one. It is closed when none
// of them waits any more.
type open struct {
	tag     tag
	device  *lifeline
	Window  int64
	Counts  Counts
	waiting int
	done    bool // all its readings were looked at
}

// leftover is a reading that one side has and the other has not, in the window to
// which it belongs. The same reading may be elsewhere, with another time.
type leftover struct {
	held
	window  *open
	missing bool // or else extra
	doubt   bool // what cannot be read may hold it
	settled bool
}

// pending are leftovers, the oldest first.
type pending struct {
	queue []*leftover
	n     int64 // how many are not settled, by weight
	by    [2]map[timeless]*leftover
}

// timeless is what a reading is known by, but for its time.
type timeless struct {
	tag
	seq uint64
}

func newPending() *pending {
	return &pending{by: [2]map[timeless]*leftover{{}, {}}}
}

func (l *leftover) timeless() timeless { return timeless{l.window.tag, l.Seq} }

func (l *leftover) side() int {
	if l.missing {
		return expected
	}
	return observed
}

// wait looks for the counterpart of a leftover, and keeps it when there is none yet.
func (r *run) wait(l *leftover) error {
	if !r.seq || l.Seq == 0 || l.Validate() != nil { // by which nothing can be found, or that cannot be kept
		return r.give(l)
	}
	p := r.pending
	if other := p.by[1-l.side()][l.timeless()]; other != nil {
		p.settle(other)
		if l.missing {
			return r.moved(l, other)
		}
		return r.moved(other, l)
	}
	if p.by[l.side()][l.timeless()] != nil {
		return r.give(l)
	}
	p.keep(l)
	return r.giveUp(int64(max(r.MaxRecords/2, 1)))
}

func (p *pending) keep(l *leftover) {
	p.by[l.side()][l.timeless()] = l
	p.queue = append(p.queue, l)
	p.n += l.weight()
	l.window.waiting++
}

func (p *pending) settle(l *leftover) {
	l.settled = true
	p.n -= l.weight()
	delete(p.by[l.side()], l.timeless())
}

// giveUp stops waiting for counterparts of the oldest leftovers until at most a
// number of them wait.
func (r *run) giveUp(most int64) error {
	p := r.pending
	for p.n > most {
		l := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		if l.settled {
			continue
		}
		p.settle(l)
		if err := r.give(l); err != nil {
			return err
		}
		l.window.waiting--
		r.closeDone(l.window)
	}
	if p.n == 0 {
		p.queue = nil
	}
	return nil
}

// give says what a leftover is: there is no counterpart.
func (r *run) give(l *leftover) error {
	c := &l.window.Counts
	v := Extra
	switch {
	case l.doubt:
		v = Undecided
		if l.missing {
			c.Undecided++
		}
	case l.missing:
		v = Missing
		c.Missing++
	default:
		c.Extra++
	}
	if l.missing {
		return r.discrepancy(v, l.window.tag, nil, &l.held, nil)
	}
	return r.discrepancy(v, l.window.tag, nil, nil, &l.held)
}

// moved counts a reading whose time is altered. One of the two waited.
func (r *run) moved(missing, extra *leftover) error {
	w := missing.window
	w.Counts.Altered++
	w.Counts.Observed++
	w.Counts.received(r.rules, &extra.held)
	extra.window.Counts.Observed--
	for _, l := range [...]*leftover{missing, extra} {
		if l.settled {
			l.window.waiting--
			r.closeDone(l.window)
		}
	}
	return r.discrepancy(Altered, w.tag, r.differences(&missing.Reading, &extra.Reading), &missing.held, &extra.held)
}

// close says that all readings of a window were looked at.
func (r *run) close(w *open) {
	w.done = true
	r.closeDone(w)
}

func (r *run) closeDone(w *open) {
	if w.done && w.waiting == 0 {
		r.Findings.add(w.device, w.tag, w.Window, &w.Counts)
	}
}
