package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/admin"
)

func (c *cli) statusCommand() *cobra.Command {
	var (
		address, file string
		asJSON        bool
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what a running feed does",
		Long: `Asks the admin server of a running feed what its routes do, what became of their
messages, and whether its plugins run.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				cfg, err := config.LoadSettings(file)
				if err != nil {
					return err
				}
				if cfg.Admin.Off() {
					return fmt.Errorf("%s has no admin server: write admin: {address: 127.0.0.1:8686}", file)
				}
				if address = cfg.Admin.Address; chosenAtStart(address) {
					return fmt.Errorf("%s has admin.address %s, so that the port is chosen at start: take it from the log line \"feed starts\" and give --address HOST:PORT", file, address)
				}
			}
			s, err := admin.FetchStatus(cmd.Context(), address)
			if err != nil && file == "" && !cmd.Flags().Changed("address") {
				err = fmt.Errorf("%w (give --config FILE or --address HOST:PORT)", err)
			}
			if err != nil {
				return failed(err)
			}
			if asJSON {
				return failed(writeJSON(c.stdout, s))
			}
			return failed(writeStatus(c.stdout, s, file, time.Now()))
		},
	}
	cmd.Flags().StringVar(&address, "address", config.DefaultConfig().Admin.Address, "host and port of the feed's admin server")
	cmd.Flags().StringVar(&file, "config", "", "take the address from this file")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("address", "config")
	return cmd
}

// chosenAtStart reports whether the system chooses the port of an address, so
// that no file tells it.
func chosenAtStart(address string) bool {
	_, port, err := net.SplitHostPort(address)
	n, convErr := strconv.ParseUint(port, 10, 16)
	return err == nil && convErr == nil && n == 0
}

// writeStatus prints a status for people: a line a route and a plugin, why they do
// not run, and whether all messages are accounted for. file is the feed's
// configuration, if it is known.
func writeStatus(w io.Writer, s admin.Status, file string, now time.Time) error {
	readiness := "ready"
	if !s.Ready {
		readiness = "not ready"
	}
	if _, err := fmt.Fprintf(w, "feed %s, up %s, %s\n\n", oneLine(s.Feed, 100), age(now.Sub(s.Started)), readiness); err != nil {
		return err
	}
	rows := [][]string{{"ROUTE", "FROM", "TO", "STATE", "FOR", "RECEIVED", "DELIVERED", "FILTERED", "QUARANTINED", "RETURNED", "IN FLIGHT"}}
	for _, r := range s.Routes {
		a := r.Deliveries
		rows = append(rows, []string{
			r.Name, r.Source, r.Sink, string(r.State), age(now.Sub(r.Since)), count(a.Received), count(a.Delivered),
			count(feed.Total(a.Filtered)), count(feed.Total(a.Quarantined)), count(feed.Total(a.Returned)), count(a.InFlight),
		})
	}
	if err := writeTable(w, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if len(s.Plugins) > 0 {
		if err := writeTable(w, pluginStates(s.Plugins, now)); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	balanced := true
	var received, quarantined uint64
	for _, r := range s.Routes {
		if r.Reason != "" {
			fmt.Fprintf(w, "%s:\n%s\n", r.Name, wrapText(oneLine(r.Reason, 10_000), "  ", 100))
		}
		if why := reasons(r.Deliveries); why != "" {
			fmt.Fprintf(w, "%s: %s\n", r.Name, why)
		}
		if r.Offsets != nil {
			fmt.Fprintf(w, "%s: %s\n", r.Name, offsets(*r.Offsets))
		}
		if e := events(r.Events); e != "" {
			fmt.Fprintf(w, "%s: %s\n", r.Name, e)
		}
		received += r.Deliveries.Received
		quarantined += feed.Total(r.Deliveries.Quarantined)
		for _, a := range []feed.Account{r.Deliveries, r.Produced} {
			if err := a.Check(); err != nil {
				balanced = false
				fmt.Fprintf(w, "%s: %s\n", r.Name, err)
			}
		}
	}
	for _, p := range s.Plugins {
		fmt.Fprint(w, pluginReason(p))
	}
	if quarantined > 0 {
		if file == "" {
			file = "FILE"
		}
		fmt.Fprintf(w, "%d of %s went to the quarantine: feed quarantine ls --config %s\n", quarantined, messages(int64(received)), file)
	}
	if balanced {
		fmt.Fprintln(w, "every message is accounted for")
	}
	return nil
}

// mostReasons is how many reasons of one outcome a status shows.
const mostReasons = 5

// reasons says why deliveries were filtered and returned, the most frequent
// reasons first.
func reasons(a feed.Account) string {
	var said []string
	for _, outcome := range []struct {
		name    string
		reasons map[string]uint64
	}{{"filtered", a.Filtered}, {"returned", a.Returned}} {
		names := slices.Collect(maps.Keys(outcome.reasons))
		slices.SortFunc(names, func(x, y string) int {
			return cmp.Or(cmp.Compare(outcome.reasons[y], outcome.reasons[x]), cmp.Compare(x, y))
		})
		var one []string
		for _, name := range names[:min(len(names), mostReasons)] {
			one = append(one, fmt.Sprintf("%s %d", oneLine(name, 100), outcome.reasons[name]))
		}
		if more := len(names) - len(one); more > 0 {
			one = append(one, fmt.Sprintf("other reasons: %d", more))
		}
		if len(one) > 0 {
			said = append(said, outcome.name+": "+strings.Join(one, ", "))
		}
	}
	return strings.Join(said, "; ")
}

// offsets says how far a route has come in a stream.
func offsets(o feed.OffsetStatus) string {
	at := func(offset int64) string {
		if offset < 0 {
			return "nothing"
		}
		return "up to offset " + strconv.FormatInt(offset, 10)
	}
	s := fmt.Sprintf("stream %s, generation %d: stored %s, received %s", o.Stream, o.Generation, at(o.Committed), at(o.Received))
	if o.Missing > 0 {
		s += fmt.Sprintf("; at %d offsets there was no message any more", o.Missing)
	}
	if o.Renewed > 0 {
		s += fmt.Sprintf("; generations that began because the stream was another one: %d", o.Renewed)
	}
	return s
}

// events says what has happened to the stages of a route.
func events(all []feed.StageEvent) string {
	var said []string
	last := ""
	for _, e := range all {
		if e.Count == 0 {
			continue
		}
		one := fmt.Sprintf("%s %d", strings.ReplaceAll(e.Event, "_", " "), e.Count)
		if stage := fmt.Sprintf("%s %s", e.Kind, e.Stage); stage != last {
			last, one = stage, stage+": "+one
			said = append(said, one)
			continue
		}
		said[len(said)-1] += ", " + one
	}
	return strings.Join(said, "; ")
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }

// age prints a duration in its two largest units.
func age(d time.Duration) string {
	switch d = max(d, 0).Round(time.Second); {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return d.String()
	}
}
