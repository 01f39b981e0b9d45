package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kraft-edge/datafeed/stages/quarantine"
)

const purgeHelp = `Removes messages for good: those that were replayed or exported; with
--unhandled the others, too. On a terminal it asks before; elsewhere it wants
--yes. What was removed stands in the audit, without the messages.`

func (c *cli) quarantinePurge() *cobra.Command {
	var (
		where                  location
		sel                    selection
		unhandled, yes, dryRun bool
	)
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Remove messages that were replayed or exported",
		Long:  purgeHelp,
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := sel.check(); err != nil {
				return err
			}
			editor, err := where.editor(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, failed(editor.Close())) }()
			words := sel.words()
			q := sel.query()
			q.State = quarantine.StateWaiting
			left, err := newJob(cmd.Context(), editor, q, words)
			if err != nil {
				return failed(err)
			}
			waiting := left.total()
			q = left.query
			if q.State = quarantine.StateHandled; unhandled {
				q.State = ""
				words += " --unhandled"
			}
			j, err := newJob(cmd.Context(), editor, q, words)
			if err != nil {
				return failed(err)
			}
			total := j.total()
			if !unhandled && waiting > 0 {
				fmt.Fprintf(c.stdout, "%s neither replayed nor exported: only --unhandled removes such\n", were(waiting))
				waiting = 0
			}
			switch {
			case total == 0:
				fmt.Fprintln(c.stdout, "nothing to remove")
				return nil
			case dryRun:
				fmt.Fprintf(c.stdout, "would remove %s, %d of them neither replayed nor exported\n", messages(total), waiting)
				return nil
			}
			if !yes {
				if err := c.confirmPurge(total, waiting); err != nil {
					return err
				}
			}
			return failed(c.purge(cmd.Context(), j))
		},
	}
	where.register(cmd)
	sel.registerAll(cmd)
	cmd.Flags().BoolVar(&unhandled, "unhandled", false, "also messages that were neither replayed nor exported: they are lost")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be removed, and remove nothing")
	return cmd
}

// purge removes the messages of a job.
func (c *cli) purge(ctx context.Context, j job) error {
	var removed atomic.Int64
	progress := c.startProgress("removed", j.total(), removed.Load)
	gone, bytes, err := j.editor.Purge(ctx, j.query, j.words, removed.Store)
	progress.stop()
	fmt.Fprintf(c.stdout, "%s removed, %d bytes\n", messages(gone), int64(bytes))
	return err
}

// confirmPurge asks on a terminal.
func (c *cli) confirmPurge(total, waiting int64) error {
	if f, ok := c.stdin.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return errors.New("nobody can be asked here: --yes removes without asking, --dry-run only says what would be removed")
	}
	return confirm(c.stdin, c.stderr, total, waiting)
}

// confirm returns nil when the answer is yes.
func confirm(in io.Reader, out io.Writer, total, waiting int64) error {
	fmt.Fprintf(out, "Remove %s for good", messages(total))
	if waiting > 0 {
		fmt.Fprintf(out, ", of which %s neither replayed nor exported", were(waiting))
	}
	fmt.Fprint(out, "? Type yes: ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return failed(fmt.Errorf("read the answer: %w", err))
	}
	if strings.TrimSpace(answer) != "yes" {
		return failed(errors.New("nothing was removed"))
	}
	return nil
}
