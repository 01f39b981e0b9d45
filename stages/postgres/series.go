package postgres

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"
)

// series is a tag of a device, with its id.
type series struct {
	id          int32
	device, tag string
}

// series returns the series of a query, in order.
func (r *Reader) series(ctx context.Context, q Query) iter.Seq2[series, error] {
	return func(yield func(series, error) bool) {
		var after series
		for {
			var page []series
			err := r.query(ctx, func(rows pgx.Rows) (bool, error) {
				var s series
				err := rows.Scan(&s.id, &s.device, &s.tag)
				page = append(page, s)
				return true, err
			}, `
				SELECT id, device, tag FROM series
				WHERE ($1 = '' OR device = $1) AND ($2 = '' OR tag = $2) AND (device, tag) > ($3, $4)
				ORDER BY device, tag LIMIT $5`, q.Device, q.Tag, after.device, after.tag, pageRows)
			if err != nil {
				yield(series{}, err)
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
			if len(page) < pageRows {
				return
			}
			after = page[len(page)-1]
		}
	}
}
