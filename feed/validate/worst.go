package validate

import "slices"

// worst keeps the first of what is added in an order, and counts the rest.
type worst[T any] struct {
	List    []T   `json:"list"`
	Omitted int64 `json:"omitted"`

	most    int
	compare func(a, b T) int
	full    bool // List begins with most of them in order
}

func (w *worst[T]) add(t T) {
	if w.full && (w.most == 0 || w.compare(t, w.List[w.most-1]) >= 0) {
		w.Omitted++
		return
	}
	if w.List = append(w.List, t); len(w.List) >= 2*w.most {
		w.cut()
	}
}

// total is how many were added.
func (w *worst[T]) total() int64 { return int64(len(w.List)) + w.Omitted }

// cut puts the list in order, and leaves out what is too much.
func (w *worst[T]) cut() {
	slices.SortStableFunc(w.List, w.compare)
	if more := len(w.List) - w.most; more > 0 {
		w.Omitted += int64(more)
		clear(w.List[w.most:])
		w.List = w.List[:w.most]
	}
	w.full = len(w.List) == w.most
}
