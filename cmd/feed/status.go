package main

import (
	"fmt"
	"io"
	"strconv"
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
		Long: `Asks the admin server of a running feed what its routes do and what became of
their messages.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				cfg, err := config.LoadSettings(file)
				if err != nil {
					return err
				}
				if cfg.Admin.Off() {
					return fmt.Errorf("%s has no admin server: write admin: {address: 127.0.0.1:8686}", file)
				}
				address = cfg.Admin.Address
			}
			s, err := admin.FetchStatus(cmd.Context(), address)
			if err != nil {
				return failed(err)
			}
			if asJSON {
				return failed(writeJSON(c.stdout, s))
			}
			return failed(writeStatus(c.stdout, s, time.Now()))
		},
	}
	cmd.Flags().StringVar(&address, "address", config.DefaultConfig().Admin.Address, "host and port of the feed's admin server")
	cmd.Flags().StringVar(&file, "config", "", "take the address from this file")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("address", "config")
	return cmd
}

// writeStatus prints a status for people: a line a route, why routes do not
// run, and whether all messages are accounted for.
func writeStatus(w io.Writer, s feed.Status, now time.Time) error {
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
	balanced := true
	for _, r := range s.Routes {
		if r.Reason != "" {
			fmt.Fprintf(w, "%s: %s\n", r.Name, oneLine(r.Reason, 300))
		}
		for _, a := range []feed.Account{r.Deliveries, r.Produced} {
			if err := a.Check(); err != nil {
				balanced = false
				fmt.Fprintf(w, "%s: %s\n", r.Name, err)
			}
		}
	}
	if balanced {
		fmt.Fprintln(w, "every message is accounted for")
	}
	return nil
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
