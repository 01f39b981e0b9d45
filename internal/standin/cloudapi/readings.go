package cloudapi

import (
	"encoding/json"
	"net/http"
)

// selection is what a client asks for. A cursor is good for the same only.
type selection struct {
	From   *int64 `json:"f,omitempty"`
	To     *int64 `json:"u,omitempty"`
	Device string `json:"d,omitempty"`
	Tag    string `json:"g,omitempty"`
}

func (a selection) equal(b selection) bool {
	same := func(x, y *int64) bool { return x == y || x != nil && y != nil && *x == *y }
	return same(a.From, b.From) && same(a.To, b.To) && a.Device == b.Device && a.Tag == b.Tag
}

// readingsCursor is where a page ended.
type readingsCursor struct {
	Of    selection `json:"q"`
	After place     `json:"p"`
}

// listReadings is GET /v1/readings.
func (s *Server) listReadings(w http.ResponseWriter, r *http.Request) error {
	v, err := parseValues(r, "from", "to", "device", "tag", "limit", "cursor")
	if err != nil {
		return err
	}
	q := query{device: v["device"], tag: v["tag"]}
	if q.limit, err = v.limit(); err != nil {
		return err
	}
	if q.from, err = v.time("from"); err != nil {
		return err
	}
	if q.to, err = v.time("to"); err != nil {
		return err
	}
	of := selection{q.from, q.to, q.device, q.tag}
	if text, ok := v["cursor"]; ok {
		var c readingsCursor
		if !s.sealer.open(purposeReadings, text, &c) || !c.Of.equal(of) {
			return badCursor()
		}
		q.after = &c.After
	}
	p, err := s.store.page(r.Context(), &q)
	if err != nil {
		return err
	}
	var next *string
	if p.next != nil {
		text, err := s.sealer.seal(purposeReadings, readingsCursor{of, *p.next})
		if err != nil {
			return err
		}
		next = &text
	}
	body, err := p.json(next)
	if err != nil {
		return err
	}
	send(w, http.StatusOK, "application/json", body)
	return nil
}

// json writes readings as they are stored: encoding/json would check and copy
// each again.
func (p *page) json(next *string) ([]byte, error) {
	rest, err := json.Marshal(struct {
		Next      *string `json:"next"`
		Watermark *string `json:"watermark"`
	}{next, stamp(p.watermark)})
	if err != nil {
		return nil, err
	}
	size := len(rest) + 32
	for _, r := range p.readings {
		size += len(r) + 1
	}
	body := append(make([]byte, 0, size), `{"readings":[`...)
	for i, r := range p.readings {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, r...)
	}
	return append(append(append(body, `],`...), rest[1:]...), '\n'), nil
}

// getWatermark is GET /v1/watermark.
func (s *Server) getWatermark(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseValues(r); err != nil {
		return err
	}
	at, err := s.store.watermark(r.Context())
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, "application/json", struct {
		Watermark *string `json:"watermark"`
	}{stamp(at)})
	return nil
}
