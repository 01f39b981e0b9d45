package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// selection is the flags that choose messages.
type selection struct {
	ids                  []int64
	route, stage, reason string
	before, after        moment
	all                  bool

	cmd *cobra.Command
}

func (s *selection) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Int64SliceVar(&s.ids, "id", nil, "only messages of these ids: 3,5,8")
	f.StringVar(&s.route, "route", "", "only messages of this route")
	f.StringVar(&s.stage, "stage", "", "only messages that this stage gave up")
	f.StringVar(&s.reason, "reason", "", "only messages with this text in their reason")
	f.Var(&s.before, "before", "only messages before an id, a time (2026-03-01T12:00:00Z, 2026-03-01) or so long ago (24h)")
	f.Var(&s.after, "after", "only messages after an id, or since a time or so long ago")
	s.cmd = cmd
}

// registerAll registers the flags of a command that changes something: it must
// be told what it is to deal with.
func (s *selection) registerAll(cmd *cobra.Command) {
	s.register(cmd)
	cmd.Flags().BoolVar(&s.all, "all", false, "all messages")
}

// query returns what is chosen.
func (s *selection) query() quarantine.Query {
	return quarantine.Query{
		IDs: s.ids, Route: s.route, Stage: s.stage, Reason: s.reason,
		Before: s.before.id, Until: s.before.time, After: s.after.id, Since: s.after.time,
	}
}

// check demands that something is chosen.
func (s *selection) check() error {
	words := s.words()
	switch {
	case words == "":
		return errors.New("say which messages: --id, --route, --stage, --reason, --before, --after, or --all")
	case s.all && words != "--all":
		return errors.New("--all stands alone: remove it, or what it is combined with")
	}
	return nil
}

// words repeats what was chosen, for the audit.
func (s *selection) words() string {
	var words []string
	for _, name := range []string{"all", "id", "route", "stage", "reason", "before", "after"} {
		flag := s.cmd.Flags().Lookup(name)
		switch {
		case flag == nil || !flag.Changed:
		case name == "all":
			words = append(words, "--all")
		default:
			words = append(words, "--"+name+" "+strconv.Quote(strings.Trim(flag.Value.String(), "[]")))
		}
	}
	return strings.Join(words, " ")
}

// moment is the place of a message in the quarantine: an id or a time.
type moment struct {
	text string
	id   int64
	time time.Time
}

// String returns what was written.
func (m *moment) String() string { return m.text }

// Type names what is to be written.
func (*moment) Type() string { return "id|time" }

// Set reads an id, a time, a day or an age.
func (m *moment) Set(text string) error {
	*m = moment{text: text}
	if id, err := strconv.ParseInt(text, 10, 64); err == nil {
		if id < 1 {
			return errors.New("ids begin with 1")
		}
		m.id = id
		return nil
	}
	if age, err := time.ParseDuration(text); err == nil {
		m.time = time.Now().Add(-age)
		return nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			m.time = t
			return nil
		}
	}
	return fmt.Errorf("%q is no id, time (2026-03-01T12:00:00Z), day (2026-03-01, in UTC) or age (24h)", oneLine(text, 60))
}
