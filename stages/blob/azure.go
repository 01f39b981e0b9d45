package blob

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	azb "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// Metadata keys of a blob. The service gives them back capitalised.
const (
	metaHash     = "sha256"
	metaMessages = "messages"
	metaFolder   = "hdi_isfolder" // set by the service
)

// azure is a store in a container of Azure Blob Storage.
type azure struct {
	cfg       Config
	transport *http.Transport
	requests  atomic.Int64 // but for those that create the container

	mu     sync.Mutex
	client *container.Client // nil: to be made anew, with the credentials of the time
}

// newAzure reads the credentials and does no network I/O.
func newAzure(cfg Config) (*azure, error) {
	transport, err := newTransport(cfg.TLS)
	if err != nil {
		return nil, err
	}
	a := &azure{cfg: cfg, transport: transport}
	if _, err := a.container(); err != nil {
		return nil, err
	}
	return a, nil
}

// container returns the client, made anew when the last one was refused, so
// that a rotated credential is picked up.
func (a *azure) container() (*container.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client == nil {
		c, err := newContainerClient(a.cfg, a.transport)
		if err != nil {
			return nil, err
		}
		a.client = c
	}
	return a.client, nil
}

// do calls f with the client and judges its error.
func (a *azure) do(ctx context.Context, op, name string, f func(*container.Client) error) error {
	c, err := a.container()
	if err != nil {
		return &storeError{failure: failUnavailable, op: op, name: name, err: err}
	}
	a.requests.Add(1)
	err = f(c)
	if err == nil {
		return nil
	}
	if bloberror.HasCode(err, bloberror.ContainerNotFound) && a.cfg.Azure.CreateContainer {
		if err := a.createContainer(ctx, c); err != nil {
			return err
		}
		if err = f(c); err == nil {
			return nil
		}
	}
	a.learn(c, err)
	return azureError(ctx, op, name, err)
}

func (a *azure) createContainer(ctx context.Context, c *container.Client) error {
	_, err := c.Create(ctx, nil)
	if err == nil || bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return nil
	}
	return azureError(ctx, "create container", a.cfg.Container, err)
}

// learn drops what an error shows to be of no more use: credentials that were
// refused, and connections that may be half open, each of which would cost a
// whole timeout.
func (a *azure) learn(c *container.Client, err error) {
	var re *azcore.ResponseError
	if !errors.As(err, &re) {
		a.transport.CloseIdleConnections()
		return
	}
	if re.StatusCode == http.StatusUnauthorized || re.StatusCode == http.StatusForbidden {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.client == c {
			a.client = nil
		}
	}
}

// ifAbsent makes a write conditional: an object never changes.
func ifAbsent() *azb.AccessConditions {
	return &azb.AccessConditions{ModifiedAccessConditions: &azb.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
}

func (a *azure) create(ctx context.Context, o object) error {
	meta := map[string]*string{metaHash: &o.hash, metaMessages: to.Ptr(strconv.Itoa(o.messages))}
	headers := &azb.HTTPHeaders{BlobContentType: &o.mime}
	block := int(a.cfg.BlockBytes)
	if len(o.data) <= block {
		return a.do(ctx, "put blob", o.name, func(c *container.Client) error {
			b := newBody(o.data)
			defer b.revoke()
			_, err := c.NewBlockBlobClient(o.name).Upload(ctx, b, &blockblob.UploadOptions{
				Metadata: meta, HTTPHeaders: headers, AccessConditions: ifAbsent(),
			})
			return err
		})
	}
	n := (len(o.data) + block - 1) / block
	if n > maxBlocks {
		return &storeError{failure: failUnavailable, op: "put blob", name: o.name, detail: "more than 50000 blocks: raise blockBytes"}
	}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = blockID(i)
	}
	if err := a.stage(ctx, o, ids, block); err != nil {
		return err
	}
	return a.do(ctx, "commit blob", o.name, func(c *container.Client) error {
		_, err := c.NewBlockBlobClient(o.name).CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
			Metadata: meta, HTTPHeaders: headers, AccessConditions: ifAbsent(),
		})
		return err
	})
}

// stage uploads the blocks, a few at a time. Nothing is visible until they are
// committed; blocks that never are expire after a week.
func (a *azure) stage(ctx context.Context, o object, ids []string, block int) error {
	return parallel(ctx, len(ids), a.cfg.Parallel, func(ctx context.Context, i int) error {
		data := o.data[i*block : min((i+1)*block, len(o.data))]
		return a.do(ctx, "stage block "+strconv.Itoa(i)+" of", o.name, func(c *container.Client) error {
			b := newBody(data)
			defer b.revoke()
			_, err := c.NewBlockBlobClient(o.name).StageBlock(ctx, ids[i], b, nil)
			return err
		})
	})
}

// blockID is the same for the same place, so that a second try replaces the
// first one's blocks. All IDs of a blob must be equally long.
func blockID(i int) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, uint32(i)))
}

func (a *azure) stat(ctx context.Context, name string) (Object, error) {
	o := Object{Name: name}
	err := a.do(ctx, "get properties of blob", name, func(c *container.Client) error {
		p, err := c.NewBlobClient(name).GetProperties(ctx, nil)
		if err != nil {
			return err
		}
		o.readProperties(p.ContentLength, p.LastModified, p.ETag)
		o.readMetadata(p.Metadata)
		return nil
	})
	return o, err
}

func (o *Object) readProperties(length *int64, modified *time.Time, etag *azcore.ETag) {
	if length != nil {
		o.Bytes = *length
	}
	if modified != nil {
		o.Modified = *modified
	}
	if etag != nil {
		o.version = string(*etag)
	}
}

// isFolder tells a directory of an account with a hierarchical namespace, which
// is listed as an empty blob.
func isFolder(meta map[string]*string) bool {
	for k, v := range meta {
		if strings.EqualFold(k, metaFolder) && v != nil && *v == "true" {
			return true
		}
	}
	return false
}

func (o *Object) readMetadata(meta map[string]*string) {
	for k, v := range meta {
		if v == nil {
			continue
		}
		switch strings.ToLower(k) {
		case metaHash:
			o.SHA256 = *v
		case metaMessages:
			if n, err := strconv.Atoi(*v); err == nil {
				o.Messages = n
			}
		}
	}
}

func (a *azure) open(ctx context.Context, name string) (r io.ReadCloser, err error) {
	// The reader goes on after this call: bounded by ctx, not by tryTimeout.
	ctx = policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1})
	err = a.do(ctx, "get blob", name, func(c *container.Client) error {
		got, err := c.NewBlobClient(name).DownloadStream(ctx, nil)
		r = got.Body
		return err
	})
	return r, err
}

func (a *azure) list(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return a.walk(ctx, prefix, once)
}

func once(request func() error) error { return request() }

func (a *azure) walk(ctx context.Context, prefix string, again func(request func() error) error) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		var marker *string
		for {
			var page container.ListBlobsFlatResponse
			err := again(func() error {
				return a.do(ctx, "list container", a.cfg.Container, func(c *container.Client) (err error) {
					pager := c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
						Prefix: &prefix, Marker: marker, Include: container.ListBlobsInclude{Metadata: true},
					})
					page, err = pager.NextPage(ctx)
					return err
				})
			})
			if err != nil {
				yield(Object{}, err)
				return
			}
			for _, item := range page.Segment.BlobItems {
				if strings.HasPrefix(*item.Name, ".") || isFolder(item.Metadata) {
					continue // a checkpoint, or no object at all
				}
				o := Object{Name: *item.Name}
				if p := item.Properties; p != nil {
					o.readProperties(p.ContentLength, p.LastModified, p.ETag)
				}
				o.readMetadata(item.Metadata)
				if !yield(o, nil) {
					return
				}
			}
			if marker = page.NextMarker; marker == nil || *marker == "" {
				return
			}
		}
	}
}

// probeName is a blob that does not exist. To ask for it needs no more rights
// than to resolve a lost answer does, which a SAS for one container can give;
// to ask for the properties of the container would need more.
const probeName = ".feed-probe"

func (a *azure) probe(ctx context.Context) error {
	_, err := a.stat(ctx, probeName)
	if err != nil && failureOf(err) == failNotFound && ctx.Err() == nil {
		return nil
	}
	return err
}

func (a *azure) close() { a.transport.CloseIdleConnections() }
