package amqp

import "fmt"

// window holds the deliveries that were handed out, by their tags, which the
// broker numbers without gaps on a channel. It decides what to acknowledge so
// that a multiple-ack never passes an unsettled delivery.
type window struct {
	base    uint64 // tag of slots[head]
	slots   []slot // a ring
	head, n int
}

type slot struct {
	delivery *delivery // nil once settled
}

// add records the next delivery. Its tag must follow the last one.
func (w *window) add(d *delivery) error {
	w.base = max(w.base, 1) // a channel's first tag
	if want := w.base + uint64(w.n); d.tag != want {
		return fmt.Errorf("the broker sent delivery tag %d instead of %d", d.tag, want)
	}
	if w.n == len(w.slots) {
		bigger := make([]slot, max(64, 2*len(w.slots)))
		for i := range w.n {
			bigger[i] = *w.at(i)
		}
		w.slots, w.head = bigger, 0
	}
	w.n++
	w.at(w.n - 1).delivery = d
	return nil
}

func (w *window) at(i int) *slot { return &w.slots[(w.head+i)%len(w.slots)] }

// get returns an unsettled delivery.
func (w *window) get(tag uint64) (*delivery, error) {
	if tag < w.base || tag >= w.base+uint64(w.n) || w.at(int(tag-w.base)).delivery == nil {
		return nil, fmt.Errorf("delivery %d is not unsettled", tag)
	}
	return w.at(int(tag - w.base)).delivery, nil
}

// settle marks a delivery as settled.
func (w *window) settle(tag uint64) error {
	if _, err := w.get(tag); err != nil {
		return err
	}
	w.at(int(tag - w.base)).delivery = nil
	return nil
}

// advance drops the settled deliveries at the head and returns the first tag
// that is still of interest: everything below it is settled.
func (w *window) advance() uint64 {
	for w.n > 0 && w.at(0).delivery == nil {
		w.head = (w.head + 1) % len(w.slots)
		w.base++
		w.n--
	}
	return w.base
}
