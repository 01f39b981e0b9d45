package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

const quarantineHelp = `Messages that can never be delivered stand in the quarantine, as they came, with
the reason. Once the reason is gone, replay sends them again; purge removes what
is done. All of it works while the feed runs.

  feed quarantine ls --config feed.yaml
  feed quarantine replay --config feed.yaml --route telemetry
  feed quarantine purge --config feed.yaml --all`

func (c *cli) quarantineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "Deal with messages that could not be delivered",
		Long:  quarantineHelp,
		Args:  knownCommand,
		RunE:  showHelp,
	}
	cmd.AddCommand(c.quarantineList(), c.quarantineShow(), c.quarantineReplay(), c.quarantineExport(), c.quarantinePurge(), c.quarantineAudit())
	return cmd
}

func (c *cli) quarantineList() *cobra.Command {
	var (
		where  location
		sel    selection
		asJSON bool
		all    bool
		state  string
		limit  int
	)
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the messages, the newest first; after an id the oldest first",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			q := sel.query()
			q.Limit, q.State = limit, quarantine.State(state)
			if err := knownState(q.State); err != nil {
				return err
			}
			r, err := where.reader(cmd.Context(), all)
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
			feeds, err := r.Feeds(cmd.Context())
			if err != nil {
				return failed(err)
			}
			return failed(writeItems(c.stdout, items, feeds, r.Feed()))
		},
	}
	where.register(cmd)
	sel.register(cmd)
	cmd.Flags().StringVar(&state, "state", "", "only messages that are "+strings.Join(quarantine.State("").Values(), ", "))
	cmd.Flags().IntVar(&limit, "limit", quarantine.DefaultLimit, "most messages to list")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&all, "all-feeds", false, "messages of all feeds that share the quarantine")
	cmd.MarkFlagsMutuallyExclusive("feed", "all-feeds")
	return cmd
}

// knownState refuses a state that does not exist.
func knownState(s quarantine.State) error {
	if s == "" || slices.Contains(s.Values(), string(s)) {
		return nil
	}
	return fmt.Errorf("--state %q is unknown: %s", oneLine(string(s), 60), config.DidYouMean(string(s), s.Values()))
}

// writeItems prints a list for people, of one feed or, without a name, of all.
func writeItems(w io.Writer, items []quarantine.Item, feeds []quarantine.FeedCount, feedName string) error {
	var all, others quarantine.FeedCount
	for _, f := range feeds {
		sum := &all
		if feedName != "" && f.Feed != feedName {
			sum = &others
		}
		sum.Messages += f.Messages
		sum.Bytes += f.Bytes
	}
	rows := [][]string{{"ID", "TIME", "FEED", "ROUTE", "STAGE", "SIZE", "STATE", "REASON"}}
	for _, it := range items {
		rows = append(rows, []string{
			strconv.FormatInt(it.ID, 10), it.Time.UTC().Format(time.RFC3339), it.Feed, it.Route, it.Stage, strconv.FormatInt(it.PayloadBytes, 10) + "B", stateOf(it), it.Reason,
		})
	}
	if err := writeTable(w, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of %s, %d bytes in all\n", len(items), messages(all.Messages), int64(all.Bytes))
	if err == nil && others.Messages > 0 {
		_, err = fmt.Fprintf(w, "%s of other feeds: --all-feeds\n", messages(others.Messages))
	}
	return err
}

// stateOf says what was done with a message.
func stateOf(it quarantine.Item) string {
	switch {
	case !it.Replayed.IsZero():
		return string(quarantine.StateReplayed)
	case !it.Exported.IsZero():
		return string(quarantine.StateExported)
	}
	return string(quarantine.StateWaiting)
}

func (c *cli) quarantineShow() *cobra.Command {
	var where location
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
			r, err := where.reader(cmd.Context(), true) // an id is of one feed
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, failed(r.Close())) }()
			it, err := r.Get(cmd.Context(), id)
			switch {
			case errors.Is(err, quarantine.ErrNotFound):
				return failed(fmt.Errorf("%w: feed quarantine ls shows which there are", err))
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
	where.registerPlace(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON; the payload in base64")
	cmd.Flags().BoolVar(&raw, "raw", false, "print the payload and nothing else")
	cmd.MarkFlagsMutuallyExclusive("json", "raw")
	return cmd
}

// writeItem prints a message for people.
func writeItem(w io.Writer, it quarantine.Item) error {
	for _, line := range [][2]string{
		{"id", strconv.FormatInt(it.ID, 10)}, {"time", it.Time.UTC().Format(time.RFC3339Nano)}, {"feed", it.Feed}, {"route", it.Route}, {"stage", it.Stage},
		{"reason", it.Reason}, {"origin", it.Origin}, {"format", it.Format},
	} {
		if _, err := fmt.Fprintf(w, "%-8s %s\n", line[0], oneLine(line[1], 10_000)); err != nil {
			return err
		}
	}
	for _, m := range []struct {
		what string
		quarantine.Mark
	}{{"replayed", it.Replayed}, {"exported", it.Exported}} {
		if !m.IsZero() {
			fmt.Fprintf(w, "%-8s %s to %s\n", m.what, m.Time.UTC().Format(time.RFC3339), oneLine(m.To, 10_000))
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
	Feed       string          `json:"feed"`
	Route      string          `json:"route"`
	Stage      string          `json:"stage"`
	Reason     string          `json:"reason"`
	Origin     string          `json:"origin"`
	Format     string          `json:"format"`
	Size       int64           `json:"size"`
	Replayed   *markInfo       `json:"replayed,omitempty"`
	Exported   *markInfo       `json:"exported,omitempty"`
	Properties json.RawMessage `json:"properties,omitempty"`
	Payload    []byte          `json:"payload,omitempty"`
}

// markInfo is what --json prints of what was done with a message.
type markInfo struct {
	Time time.Time `json:"time"`
	To   string    `json:"to"`
}

func newMarkInfo(m quarantine.Mark) *markInfo {
	if m.IsZero() {
		return nil
	}
	return &markInfo{m.Time, m.To}
}

func newItemInfo(it quarantine.Item) itemInfo {
	info := itemInfo{
		ID: it.ID, UUID: it.UUID, Time: it.Time, Feed: it.Feed, Route: it.Route, Stage: it.Stage, Reason: it.Reason,
		Origin: it.Origin, Format: it.Format, Size: it.PayloadBytes, Payload: it.Payload,
		Replayed: newMarkInfo(it.Replayed), Exported: newMarkInfo(it.Exported),
	}
	if json.Valid(it.Properties) {
		info.Properties = it.Properties
	}
	return info
}
