package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed/ledger"
)

// writeWay prints a way for people: the reading, if it is one, and a line for each
// hop, with where it came from and where it went.
func writeWay(w io.Writer, found *way) error {
	if len(found.Hops) == 0 {
		return nil
	}
	if r := onlyReading(found.Hops); r != nil {
		fmt.Fprintf(w, "reading  %s %s of %s, seq %d\n", oneLine(r.Device, 100), oneLine(r.Tag, 100), time.Unix(0, r.Time).UTC().Format(time.RFC3339Nano), r.Seq)
	}
	fmt.Fprintf(w, "message  %s\n\n", oneLine(found.Hops[len(found.Hops)-1].ID, 200))
	rows := [][]string{{"RECEIVED", "AFTER", "TOOK", "FEED/ROUTE", "OUTCOME"}}
	for i, e := range found.Hops {
		after := ""
		if i > 0 {
			after = "+" + briefly(e.Received.Sub(found.Hops[i-1].Received))
		}
		rows = append(rows, []string{e.Received.Format("2006-01-02T15:04:05.000Z"), after, briefly(e.Done.Sub(e.Received)), e.Feed + "/" + e.Route, e.Outcome})
	}
	if err := writeTable(w, rows); err != nil {
		return err
	}
	for i, e := range found.Hops {
		fmt.Fprintf(w, "\n%d. %s/%s\n", i+1, oneLine(e.Feed, 100), oneLine(e.Route, 100))
		for _, line := range hopLines(&e) {
			fmt.Fprintf(w, "   %-10s %s\n", line[0], oneLine(line[1], 400))
		}
	}
	if found.Further > 0 {
		fmt.Fprintf(w, "\n%d older records fit too: --limit shows more\n", found.Further)
	}
	if text := found.unread(); text != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimPrefix(text, ", and "))
	}
	return nil
}

// unread says of what could not be looked at, as the end of a sentence; "" when that is
// nothing.
func (w *way) unread() string {
	if w.Unreadable == 0 {
		return ""
	}
	return fmt.Sprintf(", and %d bytes of the ledgers could not be read: the end of what was being written when a process was killed, or is being written now, or damage", w.Unreadable)
}

// hopLines says what is known of a hop, without what goes without saying.
func hopLines(e *ledger.Entry) [][2]string {
	lines := [][2]string{{"from", e.Origin()}}
	if e.DeliveryID != e.ID && e.DeliveryID != "" {
		lines = append(lines, [2]string{"made of", e.DeliveryID})
	}
	if e.Outcome == "delivered" {
		lines = append(lines, [2]string{"to", e.Target()})
	} else {
		lines = append(lines, [2]string{e.Outcome, e.Reason})
	}
	return append(lines,
		[2]string{"message", e.ID},
		[2]string{"payload", fmt.Sprintf("%d bytes, CRC-32C %s", e.Size, e.Digest)},
		[2]string{"done", e.Done.Format(time.RFC3339Nano)},
	)
}

// onlyReading returns the reading that all hops are of, if there is one.
func onlyReading(hops []ledger.Entry) *ledger.Identity {
	var only *ledger.Identity
	for i := range hops {
		switch r := hops[i].Reading; {
		case r == nil:
		case only == nil:
			only = r
		case *only != *r:
			return nil
		}
	}
	return only
}

// briefly rounds a duration to what people look at.
func briefly(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
