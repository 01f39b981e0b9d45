package cloudapi

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// walk reads a span page after page. It is for one goroutine.
type walk struct {
	client     *client
	of         span
	parameters url.Values

	parser  reading.Parser
	body    []byte            // of a page, used again
	records []validate.Record // of a page, used again
	last    reading.Reading   // of the pages so far; known says whether there is one
	known   bool
	idle    int // pages that have led no further
}

func newWalk(c *client, s span, pageSize int) *walk {
	return &walk{client: c, of: s, parameters: s.parameters(pageSize)}
}

// maxIdle is how many pages may follow each other that lead no further: a page may
// be empty, though there are more.
const maxIdle = 100

// all hands out all pages.
func (w *walk) all(ctx context.Context, take func(validate.Page) error) error {
	for {
		p, next, err := w.page(ctx)
		if err != nil {
			return err
		}
		if len(p.Records)+len(p.Unreadable) > 0 {
			if err := take(p); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		w.parameters.Set("cursor", next)
	}
}

// page reads the next page.
func (w *walk) page(ctx context.Context) (p validate.Page, next string, err error) {
	const path = "/v1/readings"
	w.body, err = w.client.get(ctx, path, w.parameters, w.body)
	if err != nil {
		return p, "", err
	}
	place := validate.Place{Object: path + "?" + w.parameters.Encode()}
	w.records = w.records[:0]
	further := false
	next, err = decodePage(w.body, func(raw []byte) error {
		place.Position++
		r, err := w.parser.Parse(raw)
		if err != nil {
			u := validate.Unreadable{Place: place, Err: err, From: time.Unix(0, w.of.first).UTC(), To: time.Unix(0, w.of.last).UTC().Add(1)}
			if w.known { // what follows is not older
				u.From = w.last.At()
			}
			p.Unreadable = append(p.Unreadable, u)
			return nil //nolint:nilerr // it is told
		}
		ahead, err := w.follow(&r)
		further = further || ahead
		w.records = append(w.records, validate.Record{Reading: r, Place: place})
		return err
	})
	if err != nil {
		return p, "", err
	}
	p.Records = w.records
	return p, next, w.lead(next, further)
}

// follow checks that a reading is one that was asked for, and stands behind those
// so far; ahead is false when it is another copy of the last one.
func (w *walk) follow(r *reading.Reading) (ahead bool, err error) {
	if !w.of.holds(r) {
		return false, distrust("the API has answered %s, which was not asked for: a proxy may have dropped parameters of the request", named(r))
	}
	step := 1
	if w.known {
		step = order(r, &w.last)
	}
	if step < 0 {
		return false, distrust("the API has answered %s behind %s: its pages do not go forward", named(r), named(&w.last))
	}
	w.last, w.known = *r, true
	return step > 0, nil
}

// lead checks that a cursor leads on.
func (w *walk) lead(next string, further bool) error {
	if w.idle++; further {
		w.idle = 0
	}
	switch {
	case next == "":
	case next == w.parameters.Get("cursor"):
		return distrust("the page behind a cursor ends with the same cursor: the API would tell it for ever")
	case w.idle > maxIdle:
		return distrust("%d pages that follow each other have led no further, and the API says that there are more", w.idle)
	}
	return nil
}

// distrust makes an error of an API that is not what it should be.
func distrust(format string, a ...any) error {
	return feed.Permanent(fmt.Errorf(format+"; nothing that it tells can be relied on", a...))
}

// order compares readings as the API orders them.
func order(a, b *reading.Reading) int {
	if a.Time != b.Time {
		return cmp.Compare(a.Time, b.Time)
	}
	if c := strings.Compare(a.Device, b.Device); c != 0 {
		return c
	}
	if c := strings.Compare(a.Tag, b.Tag); c != 0 {
		return c
	}
	return cmp.Compare(a.Seq, b.Seq)
}

// named is what a reading is known by, for people.
func named(r *reading.Reading) string {
	return fmt.Sprintf("%q %q at %s number %d", r.Device, r.Tag, r.AppendTime(nil), r.Seq)
}
