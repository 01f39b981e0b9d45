package witness

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/klauspost/compress/zstd"
)

// maxLine bounds one line of an object.
const maxLine = 64 << 20

// ReadDirectory tallies the lines of all NDJSON files under dir, and returns
// how many files there are.
func ReadDirectory(dir string, t Recorder) (objects int, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isObject(path) {
			return err
		}
		objects++
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // read only
		return readLines(path, file, t)
	})
	return objects, err
}

// ReadContainer tallies the lines of all NDJSON blobs of a container, and
// returns how many blobs there are.
func ReadContainer(ctx context.Context, connectionString, container string, t Recorder) (objects int, err error) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client, err := azblob.NewClientFromConnectionString(connectionString, &azblob.ClientOptions{
		ClientOptions: policy.ClientOptions{Transport: &http.Client{Transport: transport}},
	})
	if err != nil {
		return 0, fmt.Errorf("read blobs: %w", err)
	}
	pages := client.NewListBlobsFlatPager(container, nil)
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return objects, fmt.Errorf("list blobs: %w", err)
		}
		for _, item := range page.Segment.BlobItems {
			objects++
			body, err := client.DownloadStream(ctx, container, *item.Name, nil)
			if err != nil {
				return objects, fmt.Errorf("read blob %s: %w", *item.Name, err)
			}
			err = readLines(*item.Name, body.Body, t)
			if err := errors.Join(err, body.Body.Close()); err != nil {
				return objects, err
			}
		}
	}
	return objects, nil
}

func isObject(name string) bool {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	return strings.HasSuffix(name, ".ndjson")
}

func readLines(name string, r io.Reader, t Recorder) error {
	switch {
	case strings.HasSuffix(name, ".gz"):
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		r = z
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		defer z.Close()
		r = z
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		t.AddJSON(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}
