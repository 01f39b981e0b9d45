package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// A server with synchronous standbys commits on its own disk first, and then waits
// until they have it. When the wait ends early, because the connection is lost or
// somebody cancels it, the rows stay, and everybody sees them: that rows are found
// says nothing of the standbys.

// waitEnded is the function of the server that tells, in a warning, that it has
// not waited to the end. The text of the warning is in the server's language.
const waitEnded = "SyncRepWaitForLSN"

// notice takes what the server says beside its answers.
func (s *session) notice(_ *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == waitEnded {
		s.waitCut = true
	}
}

// confirmSQL writes a record to the log that stands for nothing, and commits it:
// that waits until the standbys have all that was committed before, too.
const confirmSQL = `SELECT pg_logical_emit_message(true, 'datafeed', ''::text)`

// confirm makes sure that the standbys have what was found, when nothing has been
// committed since, and that they have what was stored.
func (w *writer) confirm(ctx context.Context) error {
	if w.found {
		ctx, cancel := w.session.within(ctx)
		defer cancel()
		if _, err := w.session.conn.Exec(ctx, confirmSQL); err != nil {
			return because(ctx, err)
		}
	}
	if w.session.waitCut {
		return errors.New("the server was told not to wait for its synchronous standbys: they may not have what was committed")
	}
	return nil
}
