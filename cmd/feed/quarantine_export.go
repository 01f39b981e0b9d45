package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/internal/wholefile"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

const exportHelp = `Copies messages, the oldest first: to a file or standard output as NDJSON, a
message a line, or with --to URL to an exchange of RabbitMQ, with the payload
and the typed properties that they came with.

A line has the keys of "show --json". The payload stands in base64 in the key
payload, byte for byte; with --payload json a payload that is JSON stands as
such in the key json.

What stands in a file, or was confirmed by RabbitMQ, is marked as exported, so
that purge may remove it. Standard output marks nothing: nobody knows what has
become of it.`

func (c *cli) quarantineExport() *cobra.Command {
	var (
		where              location
		sel                selection
		target             amqpFlags
		output, to, format string
	)
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Copy messages to a file, to standard output or to RabbitMQ",
		Long:  exportHelp,
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := sel.check(); err != nil {
				return err
			}
			if format != "base64" && format != "json" {
				return fmt.Errorf("--payload %q is unknown: write base64 or json", oneLine(format, 60))
			}
			if to != "" {
				return c.exportToBroker(cmd.Context(), &where, &sel, to, target)
			}
			if err := target.checkUnused(); err != nil {
				return err
			}
			if output == "" {
				return c.exportToStdout(cmd.Context(), &where, sel.query(), format)
			}
			return c.exportToFile(cmd.Context(), &where, &sel, output, format)
		},
	}
	where.register(cmd)
	sel.registerAll(cmd)
	cmd.Flags().StringVar(&output, "output", "", "file to write, which must not exist (default: standard output)")
	cmd.Flags().StringVar(&format, "payload", "base64", "form of payloads in NDJSON: base64, or json for those that are JSON")
	cmd.Flags().StringVar(&to, "to", "", "amqp:// URL, which may hold ${NAME}; with --exchange")
	target.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("output", "to")
	return cmd
}

func (c *cli) exportToBroker(ctx context.Context, where *location, sel *selection, to string, target amqpFlags) (err error) {
	dest, err := target.destination(to)
	if err != nil {
		return err
	}
	if dest.ownExchange {
		return errors.New("say which exchange gets the messages: --exchange (to send them where they came from, use replay)")
	}
	editor, err := where.editor(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, failed(editor.Close())) }()
	j, err := newJob(ctx, editor, sel.query(), sel.words())
	if err != nil {
		return failed(err)
	}
	return failed(c.publish(ctx, j, dest, editor.Export(dest.String(), j.words), "exported"))
}

func (c *cli) exportToStdout(ctx context.Context, where *location, q quarantine.Query, format string) (err error) {
	r, err := where.reader(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, failed(r.Close())) }()
	_, err = writeNDJSON(ctx, r, q, c.stdout, format, nil)
	return failed(err)
}

func (c *cli) exportToFile(ctx context.Context, where *location, sel *selection, path, format string) (err error) {
	editor, err := where.editor(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, failed(editor.Close())) }()
	j, err := newJob(ctx, editor, sel.query(), sel.words())
	if err != nil {
		return failed(err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return failed(err)
	}
	f, err := os.OpenFile(abs, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return failed(fmt.Errorf("export: %w", err))
	}
	var ids []int64
	var written atomic.Int64
	progress := c.startProgress("exported", j.total(), written.Load)
	n, err := writeNDJSON(ctx, editor.Reader, j.query, f, format, func(id int64) {
		ids = append(ids, id)
		written.Add(1)
	})
	progress.stop()
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = wholefile.SyncDir(filepath.Dir(abs))
	}
	if err != nil {
		return failed(fmt.Errorf("export to %s, which is not whole: %w", path, err))
	}
	if marked, err := editor.Export("file "+abs, j.words).Mark(ctx, ids); err != nil {
		return failed(fmt.Errorf("%s is whole, but only %d of its %s could be marked as exported: %w", path, marked, messages(n), err))
	}
	_, err = fmt.Fprintf(c.stdout, "%s exported to %s\n", messages(n), path)
	return failed(err)
}

// exportPage is how many messages are read at a time.
const exportPage = 1000

// writeNDJSON writes the messages that q chooses, each on a line, and tells
// written of each, unless it is nil.
func writeNDJSON(ctx context.Context, r *quarantine.Reader, q quarantine.Query, w io.Writer, format string, written func(id int64)) (n int64, err error) {
	buffered := bufio.NewWriter(w)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	q.Limit = exportPage
	for {
		items, err := r.Fetch(ctx, q, publishedBytes)
		if err != nil {
			return n, err
		}
		if len(items) == 0 {
			return n, buffered.Flush()
		}
		for _, it := range items {
			if err := lines.Encode(newExportedItem(it, format)); err != nil {
				return n, err
			}
			if written != nil {
				written(it.ID)
			}
			n++
		}
		q.After = items[len(items)-1].ID
	}
}

// exportedItem is a line of an export.
type exportedItem struct {
	itemInfo
	JSON json.RawMessage `json:"json,omitempty"`
}

func newExportedItem(it quarantine.Item, format string) exportedItem {
	e := exportedItem{itemInfo: newItemInfo(it)}
	if format == "json" && json.Valid(it.Payload) {
		e.JSON, e.Payload = it.Payload, nil
	}
	return e
}
