package postgres

import (
	"context"
	"crypto/rand"
	"errors"
)

// probeBytes is the size of the row that shows that there is room again, after
// the disk was full.
const probeBytes = 64 << 10

// probe finds out whether the server would take points now.
func (w *writer) probe(ctx context.Context) (err error) {
	ctx, cancel := w.session.within(ctx)
	defer cancel()
	defer func() {
		if elsewhere(err) || outdated(err) {
			err = errors.Join(err, w.close())
		}
	}()
	tx, err := w.session.conn.Begin(ctx)
	if err != nil {
		return because(ctx, err)
	}
	defer tx.Rollback(ctx) //nolint:errcheck // its failure ends the connection
	data := make([]byte, 1)
	if w.full {
		data = make([]byte, probeBytes)
	}
	_, _ = rand.Read(data) // never fails; what is zero might be compressed
	_, err = tx.Exec(ctx, `INSERT INTO probes (data) VALUES ($1)`, data)
	return because(ctx, err)
}
