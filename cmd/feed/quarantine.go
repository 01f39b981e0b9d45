package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

func (c *cli) quarantineCommand() *cobra.Command {
	var db, file string
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "Look at messages that could not be delivered",
		Args:  knownCommand,
		RunE:  showHelp,
	}
	cmd.PersistentFlags().StringVar(&db, "db", "", "file of the quarantine")
	cmd.PersistentFlags().StringVar(&file, "config", "", "configuration that names the quarantine")
	cmd.MarkFlagsMutuallyExclusive("db", "config")
	open := func(ctx context.Context) (*quarantine.Reader, error) {
		path := db
		switch {
		case db == "" && file == "":
			return nil, errors.New("say where the quarantine is: --db PATH or --config FILE")
		case file != "":
			cfg, err := config.LoadSettings(file)
			if err != nil {
				return nil, err
			}
			if path = cfg.Quarantine.Path; path == "" {
				return nil, fmt.Errorf("%s has no quarantine: write quarantine: {path: …}", file)
			}
		}
		r, err := quarantine.OpenReadOnly(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("there is no quarantine file %s yet: nothing was quarantined, or the feed has never run here", path)
		}
		return r, failed(err)
	}
	cmd.AddCommand(c.quarantineList(open), c.quarantineShow(open))
	return cmd
}

type openQuarantineFunc func(context.Context) (*quarantine.Reader, error)

func (c *cli) quarantineList(open openQuarantineFunc) *cobra.Command {
	var (
		q      quarantine.Query
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the messages, the newest first",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			r, err := open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, failed(r.Close())) }()
			items, err := r.List(cmd.Context(), q)
			if err != nil {
				return failed(err)
			}
			if asJSON {
				out := make([]itemInfo, len(items))
				for i, it := range items {
					out[i] = newItemInfo(it)
				}
				return failed(writeJSON(c.stdout, out))
			}
			all, err := r.Len(cmd.Context())
			if err != nil {
				return failed(err)
			}
			bytes, err := r.Bytes(cmd.Context())
			if err != nil {
				return failed(err)
			}
			return failed(writeItems(c.stdout, items, all, bytes))
		},
	}
	cmd.Flags().StringVar(&q.Route, "route", "", "only messages of this route")
	cmd.Flags().StringVar(&q.Stage, "stage", "", "only messages that this stage gave up")
	cmd.Flags().IntVar(&q.Limit, "limit", quarantine.DefaultLimit, "most messages to list")
	cmd.Flags().Int64Var(&q.Before, "before", 0, "only messages with a smaller id, to go on where a list has ended")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// writeItems prints a list for people.
func writeItems(w io.Writer, items []quarantine.Item, all int64, bytes feed.Size) error {
	rows := [][]string{{"ID", "TIME", "ROUTE", "STAGE", "SIZE", "REASON"}}
	for _, it := range items {
		rows = append(rows, []string{
			strconv.FormatInt(it.ID, 10), it.Time.UTC().Format(time.RFC3339), it.Route, it.Stage, strconv.FormatInt(it.PayloadBytes, 10) + "B", it.Reason,
		})
	}
	if err := writeTable(w, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of %d messages, %d bytes in all\n", len(items), all, int64(bytes))
	return err
}

func (c *cli) quarantineShow(open openQuarantineFunc) *cobra.Command {
	var asJSON, raw bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a message as it came: properties and payload",
		Args:  arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return fmt.Errorf("%q is no id: feed quarantine ls shows them", oneLine(args[0], 60))
			}
			r, err := open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, failed(r.Close())) }()
			it, err := r.Get(cmd.Context(), id)
			switch {
			case err != nil:
				return failed(err)
			case raw:
				_, err = c.stdout.Write(it.Payload)
				return failed(err)
			case asJSON:
				return failed(writeJSON(c.stdout, newItemInfo(it)))
			default:
				return failed(writeItem(c.stdout, it))
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON; the payload in base64")
	cmd.Flags().BoolVar(&raw, "raw", false, "print the payload and nothing else")
	cmd.MarkFlagsMutuallyExclusive("json", "raw")
	return cmd
}

// writeItem prints a message for people.
func writeItem(w io.Writer, it quarantine.Item) error {
	for _, line := range [][2]string{
		{"id", strconv.FormatInt(it.ID, 10)}, {"time", it.Time.UTC().Format(time.RFC3339Nano)}, {"route", it.Route}, {"stage", it.Stage},
		{"reason", it.Reason}, {"origin", it.Origin}, {"format", it.Format},
	} {
		if _, err := fmt.Fprintf(w, "%-8s %s\n", line[0], oneLine(line[1], 10_000)); err != nil {
			return err
		}
	}
	if len(it.Properties) > 0 {
		fmt.Fprintf(w, "\nproperties\n%s\n", indented(it.Properties))
	}
	fmt.Fprintf(w, "\npayload, %d bytes\n", len(it.Payload))
	if printable(it.Payload) {
		_, err := fmt.Fprintf(w, "%s\n", it.Payload)
		return err
	}
	_, err := io.WriteString(w, hex.Dump(it.Payload))
	return err
}

// indented prints a JSON document over several lines, and anything else as
// text without control characters.
func indented(doc []byte) string {
	var v any
	if json.Unmarshal(doc, &v) == nil {
		if out, err := json.MarshalIndent(v, "", "  "); err == nil {
			return string(out)
		}
	}
	return oneLine(string(doc), 10_000)
}

// printable reports whether a payload is text that a terminal shows as it is.
func printable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			return false
		}
	}
	return true
}

// itemInfo is what --json prints of a message.
type itemInfo struct {
	ID         int64           `json:"id"`
	UUID       string          `json:"uuid"`
	Time       time.Time       `json:"time"`
	Route      string          `json:"route"`
	Stage      string          `json:"stage"`
	Reason     string          `json:"reason"`
	Origin     string          `json:"origin"`
	Format     string          `json:"format"`
	Size       int64           `json:"size"`
	Properties json.RawMessage `json:"properties,omitempty"`
	Payload    []byte          `json:"payload,omitempty"`
}

func newItemInfo(it quarantine.Item) itemInfo {
	info := itemInfo{
		ID: it.ID, UUID: it.UUID, Time: it.Time, Route: it.Route, Stage: it.Stage, Reason: it.Reason,
		Origin: it.Origin, Format: it.Format, Size: it.PayloadBytes, Payload: it.Payload,
	}
	if json.Valid(it.Properties) {
		info.Properties = it.Properties
	}
	return info
}
