package quarantine

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limits of a [Query].
const (
	DefaultLimit = 100
	MaxLimit     = 10_000
)

// State is what has been done with an item.
type State string

// The states. The zero value stands for any.
const (
	StateWaiting    State = "waiting"    // neither replayed nor exported
	StateReplayed   State = "replayed"   // exported, too, or not
	StateExported   State = "exported"   // replayed, too, or not
	StateHandled    State = "handled"    // replayed or exported
	StateUnreplayed State = "unreplayed" // exported or not
)

// Values returns all states.
func (State) Values() []string {
	return []string{string(StateWaiting), string(StateReplayed), string(StateExported), string(StateHandled), string(StateUnreplayed)}
}

// conditions of the states.
var stateConditions = map[State]string{
	StateWaiting:    "i.replayed = 0 AND i.exported = 0",
	StateReplayed:   "i.replayed <> 0",
	StateExported:   "i.exported <> 0",
	StateHandled:    "(i.replayed <> 0 OR i.exported <> 0)",
	StateUnreplayed: "i.replayed = 0",
}

// Query chooses items. Zero fields choose all.
type Query struct {
	IDs    []int64
	Route  string
	Stage  string
	Reason string // a part of the reason
	State  State
	// Before chooses items with smaller ids, After items with larger ones.
	Before, After int64
	// Since chooses items quarantined at that time or later, Until those
	// quarantined before. Both are cut to whole seconds.
	Since, Until time.Time
	// Limit is the most items to return: DefaultLimit when 0, at most MaxLimit.
	Limit int
}

// limit returns the limit in force.
func (q *Query) limit() int {
	if q.Limit <= 0 {
		return DefaultLimit
	}
	return min(q.Limit, MaxLimit)
}

// second formats a time so that it sorts below all times of its second as they
// are stored, and above all of those before.
const second = "2006-01-02T15:04:05"

// where returns the condition of a query and its arguments. Numbers are
// written into it: SQLite's driver looks parameters up one by one.
func (q *Query) where(s schema) (string, []any) {
	var (
		all  []string
		args []any
	)
	text := func(condition, value string) {
		if value != "" {
			args = append(args, value)
			all = append(all, fmt.Sprintf(condition, "$"+strconv.Itoa(len(args))))
		}
	}
	number := func(condition string, value int64) {
		if value != 0 {
			all = append(all, condition+strconv.FormatInt(value, 10))
		}
	}
	if q.IDs != nil {
		all = append(all, "i.id IN "+idList(q.IDs))
	}
	text("i.feed = %s", s.owner())
	text("i.route = %s", s.encode(q.Route))
	text("i.stage = %s", s.encode(q.Stage))
	text(s.contains+"(i.reason, %s) > 0", q.Reason)
	if c := stateConditions[q.State]; c != "" {
		all = append(all, c)
	}
	number("i.id < ", q.Before)
	number("i.id > ", q.After)
	if !q.Since.IsZero() {
		text("i.created_at >= %s", q.Since.UTC().Format(second))
	}
	if !q.Until.IsZero() {
		text("i.created_at < %s", q.Until.UTC().Format(second))
	}
	if len(all) == 0 {
		return "1 = 1", nil
	}
	return strings.Join(all, " AND "), args
}

// idList writes ids as SQL does: (1,2,3).
func idList(ids []int64) string {
	if len(ids) == 0 {
		return "(NULL)" // which no id is
	}
	var b strings.Builder
	b.WriteByte('(')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	b.WriteByte(')')
	return b.String()
}
