package blob

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// memory bounds what all reads together hold of Parquet files. Who holds metadata
// waits for room for rows; who holds rows waits for nothing. So that all get on, each
// has a part of its own.
type memory struct{ rows, metadata bound }

// newMemory makes of a number of bytes three quarters for rows, as they are stored,
// and one for metadata.
func newMemory(bytes int64) memory {
	return memory{rows: newBound(bytes - bytes/4), metadata: newBound(bytes / 4)}
}

// metadataFactor is how many bytes are held for each one of metadata: itself and what
// is made of it, of which 10.4 were measured for files of 1,000 and 5,000 row groups
// of 5 columns.
const metadataFactor = 12

// bound is a number of bytes.
type bound struct {
	most int64
	free *semaphore.Weighted
}

func newBound(most int64) bound { return bound{most, semaphore.NewWeighted(most)} }

// hold blocks until there is room for n bytes, of which the bound has as many. release
// gives them up.
func (b *bound) hold(ctx context.Context, n int64) (release func(), err error) {
	if err := b.free.Acquire(ctx, n); err != nil {
		return nil, err
	}
	return func() { b.free.Release(n) }, nil
}
