package batch

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/kraft-edge/datafeed/feed"
)

// Instance is a codec that a factory made. Its Probe, which does not block longer
// than ctx lives, tells whether the codec could do its work now; a codec that is no
// [feed.Prober] could.
type Instance interface {
	Codec
	io.Closer
	feed.Prober
}

type configPointer[C any] interface {
	*C
	feed.StageConfig
}

// Factory returns a factory for a codec. Constructors do no network I/O. What
// build returns is closed with the stage that uses it when it is an io.Closer.
func Factory[C any, P configPointer[C]](name, summary string, defaults func() C, build func(C, feed.StageEnv) (Codec, error)) feed.Factory {
	return feed.SideFactory[C, P, *instance](feed.KindCodec, name, summary, defaults, func(c C, env feed.StageEnv) (*instance, error) {
		codec, err := build(c, env)
		if err != nil {
			return nil, err
		}
		return &instance{codec}, nil
	})
}

type instance struct{ Codec }

func (i *instance) Probe(ctx context.Context) error {
	if p, ok := i.Codec.(feed.Prober); ok {
		return p.Probe(ctx)
	}
	return nil
}

func (i *instance) Close() error {
	if c, ok := i.Codec.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// NewCodec makes a codec of a factory of [feed.KindCodec].
func NewCodec(f feed.Factory, c feed.StageConfig, env feed.StageEnv) (Instance, error) {
	made, err := f.Side(c, env)
	if err != nil {
		return nil, err
	}
	codec, ok := made.(Instance)
	if !ok {
		return nil, errors.Join(fmt.Errorf("codec %s: %T is not one", f.Name, made), made.Close())
	}
	return codec, nil
}
