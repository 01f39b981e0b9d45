package main

import (
	"context"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"

	"github.com/kraft-edge/datafeed/internal/witness"
)

// blobDestination is Azurite with a new container for each run, which is read
// after it, whether it was witnessed or not.
type blobDestination struct {
	connection string
	client     *azblob.Client
	runs       int
}

func newBlobDestination(connection string) (*blobDestination, error) {
	client, err := azblob.NewClientFromConnectionString(connection, nil)
	if err != nil {
		return nil, fmt.Errorf("azblob: %w", err)
	}
	return &blobDestination{connection: connection, client: client}, nil
}

func (d *blobDestination) container() string { return fmt.Sprintf("run-%d", d.runs) }

func (d *blobDestination) env() []string {
	return []string{"BLOB_CONNECTION=" + d.connection, "CONTAINER=" + d.container()}
}

func (d *blobDestination) prepare(ctx context.Context, _ bool) error {
	d.runs++
	if _, err := d.client.CreateContainer(ctx, d.container(), nil); err != nil {
		return fmt.Errorf("create container: %w", err)
	}
	return nil
}

func (d *blobDestination) check(ctx context.Context, p *published) error {
	arrived := witness.NewTally()
	if _, err := witness.ReadContainer(ctx, d.connection, d.container(), arrived); err != nil {
		return err
	}
	// The server keeps blobs in memory.
	if _, err := d.client.DeleteContainer(ctx, d.container(), nil); err != nil {
		return fmt.Errorf("delete container: %w", err)
	}
	return p.compare(arrived)
}

func (d *blobDestination) close() error { return nil }
