package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"sync"

	"github.com/kraft-edge/datafeed/feed"
)

// simulationRefusals counts what sinks have refused for good; a simulation has no
// quarantine to keep it in.
type simulationRefusals struct {
	logger *slog.Logger // gets the first of each kind

	mu    sync.Mutex
	kinds []*refusedKind // in the order in which they came
}

// refusedKind are refusals whose reasons differ in numbers and names only.
type refusedKind struct {
	route, kind string
	first       string // the reason of the first one
	n           uint64
}

// mostKinds bounds how many kinds are told apart; others are counted together.
const mostKinds = 20

// Put counts messages by the kind of their reason.
func (r *simulationRefusals) Put(_ context.Context, items []feed.QuarantineItem) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range items {
		r.count(items[i].Route, problemDetail(items[i].Reason))
	}
	return nil
}

func (r *simulationRefusals) count(route, reason string) {
	kind := particulars.ReplaceAllString(reason, "…")
	if len(r.kinds) >= mostKinds {
		kind = ""
	}
	i := slices.IndexFunc(r.kinds, func(k *refusedKind) bool { return k.route == route && k.kind == kind })
	if i < 0 {
		r.logger.Warn("refused", "route", route, "reason", reason)
		r.kinds = append(r.kinds, &refusedKind{route: route, kind: kind, first: reason})
		i = len(r.kinds) - 1
	}
	r.kinds[i].n++
}

// write tells what was refused, and what to do about it.
func (r *simulationRefusals) write(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := false
	for _, k := range r.kinds {
		fmt.Fprintf(w, "\n%s: refused %s, the first one because: %s\n", k.route, messages(int64(k.n)), oneLine(k.first, 300))
		known = known || k.route == apiRoute && otherContent.MatchString(k.first)
	}
	if known {
		fmt.Fprintln(w, "The API holds what another simulation has sent: start it with a new --data, or give the --seed and --start of before.")
	}
}

var (
	// particulars are numbers and quoted names.
	particulars = regexp.MustCompile(`"[^"]*"|[0-9]+`)
	// otherContent is what the API says of a batch or a reading that it holds with
	// other values.
	otherContent = regexp.MustCompile(`is there with another content`)
	// detail is that member of a problem (RFC 9457), which may be cut off.
	detail = regexp.MustCompile(`\{.*"detail":("(?:[^"\\]|\\.)*)`)
)

// problemDetail returns what a reason says to people: of a problem in JSON only the
// detail.
func problemDetail(reason string) string {
	m := detail.FindStringSubmatch(reason)
	if m == nil {
		return reason
	}
	var text string
	if err := json.Unmarshal([]byte(m[1]+`"`), &text); err != nil {
		return reason // it was cut off in the midst of a character
	}
	return text
}
