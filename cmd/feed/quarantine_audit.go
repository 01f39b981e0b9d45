package main

import (
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// auditInfo is what --json prints of an entry of the audit.
type auditInfo struct {
	ID        int64             `json:"id"`
	Feed      string            `json:"feed"`
	Action    quarantine.Action `json:"action"`
	Target    string            `json:"target,omitempty"`
	Selection string            `json:"selection"`
	Started   time.Time         `json:"started"`
	Ended     time.Time         `json:"ended"`
	Messages  int64             `json:"messages"`
	Bytes     int64             `json:"bytes"`
}

func (c *cli) quarantineAudit() *cobra.Command {
	var (
		where  location
		limit  int
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what was replayed, exported and removed, the newest first",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			r, err := where.reader(cmd.Context(), false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, failed(r.Close())) }()
			entries, err := r.Audit(cmd.Context(), limit)
			if err != nil {
				return failed(err)
			}
			if asJSON {
				out := make([]auditInfo, len(entries))
				for i, e := range entries {
					out[i] = auditInfo{e.ID, e.Feed, e.Action, e.Target, e.Selection, e.Started, e.Ended, e.Messages, int64(e.Bytes)}
				}
				return failed(writeJSON(c.stdout, out))
			}
			rows := [][]string{{"TIME", "FEED", "ACTION", "MESSAGES", "BYTES", "TO", "WHICH"}}
			for _, e := range entries {
				rows = append(rows, []string{e.Ended.UTC().Format(time.RFC3339), e.Feed, string(e.Action), strconv.FormatInt(e.Messages, 10),
					strconv.FormatInt(int64(e.Bytes), 10), e.Target, e.Selection})
			}
			return failed(writeTable(c.stdout, rows))
		},
	}
	where.register(cmd)
	cmd.Flags().IntVar(&limit, "limit", quarantine.DefaultLimit, "most entries to list")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
