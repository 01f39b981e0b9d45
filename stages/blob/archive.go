package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	azb "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// archive is where objects are read piece by piece. Its methods are safe for
// concurrent use, try once unless they say otherwise, and return a *storeError or the error of the context.
type archive interface {
	// stat describes an object as it is now.
	stat(ctx context.Context, name string) (Object, error)
	// walk goes over the objects whose names begin with prefix, each once and in
	// any order: with a hierarchical namespace it is not that of the names. Each
	// request is made by again, which may make it more than once: a listing of many
	// requests goes on where it was. It tells also what is no object and may hide
	// some, such as a link.
	walk(ctx context.Context, prefix string, again func(request func() error) error) iter.Seq2[Object, error]
	// readAt fills p with the bytes of an object from off on. It fails with
	// failChanged when the object is not the one that o describes any more.
	readAt(ctx context.Context, o Object, p []byte, off int64) error
	// asked is how many requests were made to a server.
	asked() int64
	// close gives up idle connections.
	close()
}

func newArchive(cfg Config) (archive, error) {
	p, err := cfg.place()
	if err != nil {
		return nil, err
	}
	if p.dir != "" {
		d := newDirectory(p.dir)
		d.required = true
		return d, nil
	}
	return newAzure(cfg)
}

var errChanged = errors.New("is not the one that was listed any more")

func (d *directory) readAt(ctx context.Context, o Object, p []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r, err := d.open(ctx, o.Name)
	if err != nil {
		return err
	}
	defer r.Close()
	f := r.(*os.File)
	info, err := f.Stat()
	if err == nil && (info.Size() != o.Bytes || !info.ModTime().Equal(o.Modified)) {
		return &storeError{failure: failChanged, op: "read file", name: o.Name, err: errChanged}
	}
	if err == nil {
		_, err = f.ReadAt(p, off)
	}
	if err != nil {
		return d.fail("read file", o.Name, err)
	}
	return nil
}

func (d *directory) asked() int64 { return 0 }

func (a *azure) readAt(ctx context.Context, o Object, p []byte, off int64) error {
	conditions := &azb.AccessConditions{ModifiedAccessConditions: &azb.ModifiedAccessConditions{IfMatch: to.Ptr(azcore.ETag(o.version))}}
	err := a.do(ctx, "get blob", o.Name, func(c *container.Client) error {
		got, err := c.NewBlobClient(o.Name).DownloadStream(ctx, &azb.DownloadStreamOptions{
			Range: azb.HTTPRange{Offset: off, Count: int64(len(p))}, AccessConditions: conditions,
		})
		if err != nil {
			return err
		}
		// The body ends with tryTimeout, as the request does.
		_, err = io.ReadFull(got.Body, p)
		return errors.Join(err, got.Body.Close())
	})
	var se *storeError
	switch {
	case errors.As(err, &se) && se.failure == failExists:
		return &storeError{failure: failChanged, op: se.op, name: se.name, err: errChanged}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &storeError{failure: failUnknown, op: "get blob", name: o.Name, err: fmt.Errorf("the answer is cut: %w", err)}
	}
	return err
}

func (a *azure) asked() int64 { return a.requests.Load() }
