package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/kraft-edge/datafeed/feed"
)

// ErrContentMismatch is returned when a name is taken by other content. Names
// depend on a hash of the content, or on offsets whose writing was recorded, so
// somebody else has written the object. It is not permanent: the route stops there until somebody has looked.
var ErrContentMismatch = errors.New("an object of this name exists with other content")

// commit makes o durable. When its name is taken, or when the answer was
// lost, it looks at what is stored: the same content is a success, however it
// came there.
func commit(ctx context.Context, s store, o object) error {
	err := s.create(ctx, o)
	if err == nil {
		return nil
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		return fmt.Errorf("put %s: %w", o.name, ctxErr)
	}
	switch failureOf(err) {
	case failUnavailable:
		return err
	case failRejected:
		return feed.Permanent(err)
	}
	same, lookErr := sameContent(ctx, s, o)
	switch {
	case lookErr == nil && same:
		return nil
	case lookErr == nil:
		return fmt.Errorf("put %s: %w (its hash should be %s): move it away", o.name, ErrContentMismatch, o.hash)
	case failureOf(lookErr) == failNotFound:
		return err
	default:
		return fmt.Errorf("%w; and its outcome is unknown: %w", err, lookErr)
	}
}

// sameContent reports whether the stored object is o. It trusts the stored
// hash, and reads the object where there is none.
func sameContent(ctx context.Context, s store, o object) (bool, error) {
	found, err := s.stat(ctx, o.name)
	if err != nil {
		return false, err
	}
	if found.Bytes != int64(len(o.data)) && !o.otherwise() {
		return false, nil
	}
	if found.SHA256 != "" {
		return o.is(found.SHA256), nil
	}
	r, err := s.open(ctx, o.name)
	if err != nil {
		return false, err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(r, found.Bytes+1)); err != nil {
		return false, fmt.Errorf("read %s: %w", o.name, err)
	}
	return o.is(hex.EncodeToString(h.Sum(nil))), nil
}

// is reports whether stored bytes with the given hash are o.
func (o object) is(hash string) bool { return hash == o.hash || slices.Contains(o.recorded, hash) }

// otherwise reports whether an earlier try encoded o to other bytes.
func (o object) otherwise() bool {
	return slices.ContainsFunc(o.recorded, func(hash string) bool { return hash != o.hash })
}
