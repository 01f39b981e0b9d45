package blob

import (
	"context"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azb "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// load implements store. The version of a blob is its ETag.
func (a *azure) load(ctx context.Context, name string) (data []byte, version string, err error) {
	err = a.do(ctx, "get blob", name, func(c *container.Client) error {
		got, err := c.NewBlobClient(name).DownloadStream(ctx, nil)
		if err != nil {
			return err
		}
		defer got.Body.Close()
		if data, err = io.ReadAll(io.LimitReader(got.Body, maxCheckpoint)); err != nil {
			return err
		}
		version = etag(got.ETag)
		return nil
	})
	return data, version, err
}

// swap implements store.
func (a *azure) swap(ctx context.Context, name string, data []byte, version string) (written string, err error) {
	condition := ifAbsent()
	if version != "" {
		match := azcore.ETag(version)
		condition = &azb.AccessConditions{ModifiedAccessConditions: &azb.ModifiedAccessConditions{IfMatch: &match}}
	}
	mime := "application/json"
	err = a.do(ctx, "put blob", name, func(c *container.Client) error {
		b := newBody(data)
		defer b.revoke()
		put, err := c.NewBlockBlobClient(name).Upload(ctx, b, &blockblob.UploadOptions{
			HTTPHeaders: &azb.HTTPHeaders{BlobContentType: &mime}, AccessConditions: condition,
		})
		written = etag(put.ETag)
		return err
	})
	return written, err
}

func etag(tag *azcore.ETag) string {
	if tag == nil {
		return ""
	}
	return string(*tag)
}
