package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/capacity"
	"github.com/kraft-edge/datafeed/internal/digits"
)

// writeCapacity writes a report for people.
func writeCapacity(w io.Writer, r *capacity.Report) error {
	fmt.Fprintf(w, "%s readings/s of %s, in batches of %s; %s are to be bridged\n\n",
		number(r.Load.Rate), r.Load.Bytes, digits.Grouped(int64(r.Load.BatchReadings)), r.Target)
	volumes := [][]string{{"VOLUME", "SIZE", "ROOM", "BRIDGES", "FULL FIRST", "AND THEN", r.Target.String() + " TAKE"}}
	for _, v := range r.Volumes {
		size, room := "?", "?"
		if v.Size > 0 {
			size, room = v.Size.String(), capacity.Readable(v.Room)
		}
		volumes = append(volumes, []string{v.Volume, size, room, v.Bridges.String(), dash(v.First), dash(v.Then.String()), capacity.Readable(v.Wanted)})
	}
	if err := writeTable(w, volumes); err != nil {
		return err
	}
	fmt.Fprintln(w)
	stores := [][]string{{"VOLUME", "WHAT", "RECORDS/S", "ON DISK", "BOUND", "LASTS", "AND THEN"}}
	for _, s := range r.Stores {
		stores = append(stores, []string{
			s.Volume, s.Store, number(s.Rate), capacity.Readable(feed.Size(s.OnDisk)), dash(s.Bound), lasts(&s), then(&s),
		})
	}
	if err := writeTable(w, stores); err != nil {
		return err
	}
	if len(r.Warnings)+len(r.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, text := range r.Warnings {
		fmt.Fprintln(w, "warning:", text)
	}
	for _, text := range r.Notes {
		fmt.Fprintln(w, "note:", text)
	}
	return nil
}

// lasts says how long a store lasts, and of what no outage fills, when that is.
func lasts(s *capacity.StoreReport) string {
	switch s.Role {
	case capacity.Refused:
		return s.Lasts.String() + " if all is refused"
	case capacity.Notes:
		return s.Lasts.String() + " are remembered"
	}
	return s.Lasts.String()
}

// then says what happens when a store is full.
func then(s *capacity.StoreReport) string {
	if s.Next != "" {
		return fmt.Sprintf("waits in %s: %s in all", s.Next, s.Bridges)
	}
	return dash(s.Then.String())
}

// number writes a rate: whole when it is large.
func number(x float64) string {
	if x >= 100 {
		return digits.Grouped(int64(x + 0.5))
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
