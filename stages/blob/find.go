package blob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// find sends the objects that may hold what is selected.
func (o *Observation) find(ctx context.Context, sel selection, h *handover, found chan<- target) error {
	send := func(t target) error {
		select {
		case found <- t:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if o.cfg.Layout == LayoutDelta {
		return o.findDelta(ctx, sel, send)
	}
	if !o.Traits().Ordered {
		return o.eachObject(ctx, sel, h, send)
	}
	var all []target
	if err := o.eachObject(ctx, sel, h, func(t target) error { all = append(all, t); return nil }); err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b target) int { return compareRanges(a.Name, b.Name) })
	for _, t := range all {
		if err := send(t); err != nil {
			return err
		}
	}
	return nil
}

// eachObject lists the objects that may hold what is selected.
func (o *Observation) eachObject(ctx context.Context, sel selection, h *handover, visit func(target) error) error {
	from, to := sel.span(o.cfg.Slack)
	prefixes := []string{o.directory()}
	if o.names != nil {
		prefixes = o.names.prefixes(from, to)
	}
	told := map[string]bool{}
	for _, prefix := range prefixes {
		for obj, err := range o.list(ctx, prefix) {
			if err != nil {
				return err
			}
			if obj.irregular {
				if told[obj.Name] { // on the way to several prefixes
					continue
				}
				told[obj.Name] = true
				if err := h.page(validate.Page{Unreadable: []validate.Unreadable{o.unreadable(obj.Name+"/", validate.Place{Object: obj.Name}, errIrregular)}}); err != nil {
					return err
				}
				continue
			}
			if o.cfg.Layout == LayoutParquet && hidden(obj.Name[len(prefix):]) {
				if strings.Contains(obj.Name, deltaLog) {
					return fmt.Errorf("%s belongs to a Delta table, of which not all files count: write layout: delta", obj.Name)
				}
				continue
			}
			if o.names != nil {
				made, ofTime := o.names.fits(obj.Name, from, to)
				if !made {
					stray := fmt.Errorf("its name is not one that the path %s makes", o.cfg.Path)
					err = h.page(validate.Page{Unreadable: []validate.Unreadable{o.unreadable(obj.Name, validate.Place{Object: obj.Name}, stray)}})
				}
				if err != nil {
					return err
				}
				if !made || !ofTime {
					continue
				}
			}
			if err := visit(target{Object: obj, rows: -1}); err != nil {
				return err
			}
		}
	}
	return nil
}

// unreadable tells of a place that cannot be read. What it may hold has a time of its
// directories, with slack around, as all that is looked for in them.
func (o *Observation) unreadable(name string, at validate.Place, err error) validate.Unreadable {
	u := validate.Unreadable{Place: at, Err: err}
	if o.names == nil {
		return u
	}
	if in := o.names.filed(name); in.dated {
		u.From, u.To = in.first.Add(-o.cfg.Slack), in.after.Add(o.cfg.Slack)
	}
	return u
}

var errIrregular = errors.New("it is no file but a link or the like, and what it leads to is not read: give that directory as url, or put it here")

// directory is what the names of all objects begin with.
func (o *Observation) directory() string {
	if o.cfg.Prefix == "" {
		return ""
	}
	return strings.TrimSuffix(o.cfg.Prefix, "/") + "/"
}

// hidden reports whether a name is not of a data file, by the custom of those that
// write directories of Parquet files.
func hidden(name string) bool {
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(segment, "_") || strings.HasPrefix(segment, ".") {
			return true
		}
	}
	return false
}

// list goes over objects. A request that fails for a reason that may pass is made
// again.
func (o *Observation) list(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return o.archive.walk(ctx, prefix, func(request func() error) error { return o.try(ctx, request) })
}
