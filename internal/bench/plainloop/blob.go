package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
)

// maxDelay is how long a message waits for its batch to fill.
const maxDelay = time.Second

// toBlob writes a queue's messages as lines, a blob for each batch: one is
// uploaded while the next one gathers, and acknowledged as a whole when it is
// there.
func toBlob(ctx context.Context, j job) error {
	client, err := azblob.NewClientFromConnectionString(os.Getenv("BLOB_CONNECTION"), nil)
	if err != nil {
		return fmt.Errorf("azblob: %w", err)
	}
	source, err := consume(ctx, j.queue, j.prefetch)
	if err != nil {
		return err
	}
	defer source.conn.Close() //nolint:errcheck // everything is acknowledged, or will be delivered again

	var (
		batch    lines
		spare    []byte // of the batch before
		busy     bool
		late     bool // the batch has waited long enough
		uploaded = make(chan upload, 1)
		timer    = time.NewTimer(maxDelay)
	)
	defer timer.Stop()
	deliveries := source.deliveries
	for deliveries != nil || batch.count > 0 || busy {
		due := batch.count >= j.batch || batch.count > 0 && (late || deliveries == nil)
		if due && !busy {
			busy = true
			b := batch
			batch = lines{text: spare[:0]}
			go func() { uploaded <- upload{lines: b, err: put(client, b.text)} }()
			continue
		}
		take := deliveries
		if batch.count >= j.batch {
			take = nil // until the one before is through
		}
		select {
		case d, ok := <-take:
			if !ok {
				if err := source.ended(ctx); err != nil {
					return err
				}
				deliveries = nil
				continue
			}
			if batch.count == 0 {
				late = false
				timer.Reset(maxDelay)
			}
			batch.text = append(append(batch.text, d.Body...), '\n')
			batch.tag = d.DeliveryTag
			batch.count++
		case u := <-uploaded:
			busy = false
			if u.err != nil {
				return fmt.Errorf("upload: %w", u.err)
			}
			if err := source.channel.Ack(u.tag, true); err != nil {
				return fmt.Errorf("acknowledge: %w", err)
			}
			spare = u.text
		case <-timer.C:
			late = true
		}
	}
	return nil
}

// lines are the payloads of a batch.
type lines struct {
	text  []byte
	count int
	tag   uint64 // of the last
}

// upload is how the upload of a batch ended.
type upload struct {
	lines
	err error
}

// put writes a new blob.
func put(client *azblob.Client, text []byte) error {
	now := time.Now().UTC()
	name := fmt.Sprintf("%s/plainloop-%d.ndjson", now.Format("2006-01-02/15"), now.UnixNano())
	contentType, none := "application/x-ndjson", azcore.ETagAny
	_, err := client.UploadBuffer(context.Background(), os.Getenv("CONTAINER"), name, text, &azblob.UploadBufferOptions{
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: &contentType},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &none}},
	})
	return err
}
