package cloudapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/httpclient"
	"github.com/kraft-edge/datafeed/internal/lifetime"
)

// Expectation is what the API of a vendor's cloud tells. It is for concurrent use.
type Expectation struct {
	config   Config
	client   *client
	lifetime *lifetime.Lifetime
}

var _ validate.Expectation = (*Expectation)(nil)

// ErrClosed is what the methods of a closed [Expectation] return.
var ErrClosed = errors.New("cloudapi: the expectation is closed")

// NewExpectation returns an expectation. It reads tls.caFile and does no network
// I/O. It fails with what [Config.Validate] reports.
func NewExpectation(c Config, env feed.StageEnv) (*Expectation, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	secure, err := httpclient.TLS(c.TLS.CAFile)
	if err != nil {
		return nil, err
	}
	logger := env.Logger
	if logger == nil {
		logger = slog.Default()
	}
	cl, err := newClient(c, newTransport(c, secure), logger)
	if err != nil {
		return nil, err
	}
	return &Expectation{config: c, client: cl, lifetime: lifetime.New(ErrClosed)}, nil
}

// String returns the address of the API.
func (e *Expectation) String() string { return e.config.URL.String() }

// Traits implements [validate.Side]. The API may tell a reading twice, and to each
// client others.
func (e *Expectation) Traits() validate.Traits {
	return validate.Traits{
		Selective: true,
		Identity:  fmt.Sprintf("%s as client %q with scopes %q", e.client.base, e.config.OAuth2.ClientID, e.config.OAuth2.Scopes),
	}
}

// Costs implements [validate.Side]. Requests for tokens are not among them.
func (e *Expectation) Costs() validate.Costs { return e.client.costs.sum() }

// Watermark asks the API for its watermark. It blocks as a request does, with its
// further tries.
func (e *Expectation) Watermark(ctx context.Context) (time.Time, error) {
	ctx, done, err := e.lifetime.Begin(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer done()
	at, err := e.watermark(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the watermark of %s: %w", e, err)
	}
	return at, nil
}

func (e *Expectation) watermark(ctx context.Context) (time.Time, error) {
	body, err := e.client.get(ctx, "/v1/watermark", nil, nil)
	if err != nil {
		return time.Time{}, err
	}
	var answer struct {
		Watermark json.RawMessage `json:"watermark"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Watermark == nil {
		return time.Time{}, garbage("a watermark", body)
	}
	var at *time.Time
	if json.Unmarshal(answer.Watermark, &at) != nil {
		return time.Time{}, garbage("a watermark", body)
	}
	if at == nil {
		return time.Time{}, nil // nothing can be said yet
	}
	return at.UTC(), nil
}

// Read implements [validate.Side]: readings of a part of the range in the order of
// time, device, tag and sequence number, the parts in any order. Calls of take do
// not overlap. It blocks until all was handed out, and holds a page for each of the
// parts that are read at a time. take must not call Close.
func (e *Expectation) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	ctx, done, err := e.lifetime.Begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := e.read(ctx, q, take); err != nil {
		return fmt.Errorf("read from %s: %w", e, err)
	}
	return nil
}

func (e *Expectation) read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	all, ok := rangeOf(q)
	if !ok {
		return nil
	}
	var mu sync.Mutex // held while a page is handed out
	var refused error // that take returned; all parts return it, whichever ends first
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(e.config.Parallel)
	for _, part := range all.split(e.config.Parallel) {
		group.Go(func() error {
			w := newWalk(e.client, part, e.config.PageSize)
			return w.all(ctx, func(p validate.Page) error {
				mu.Lock()
				defer mu.Unlock()
				if refused != nil {
					return refused
				}
				e.client.costs.readings.Add(int64(len(p.Records)))
				refused = take(p)
				return refused
			})
		})
	}
	return group.Wait()
}

// Close cancels what is read and waits until it has ended. Idempotent.
func (e *Expectation) Close() error {
	e.lifetime.Close()
	e.client.close()
	return nil
}
