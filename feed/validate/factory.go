package validate

import (
	"errors"
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
)

type configPointer[C any] interface {
	*C
	feed.StageConfig
}

// ExpectationFactory returns a factory for expectations. Constructors do no
// network I/O.
func ExpectationFactory[C any, P configPointer[C], S Expectation](name, summary string, defaults func() C, build func(C, feed.StageEnv) (S, error)) feed.Factory {
	return feed.SideFactory[C, P, S](feed.KindExpectation, name, summary, defaults, build)
}

// ObservationFactory returns a factory for observations. Constructors do no
// network I/O.
func ObservationFactory[C any, P configPointer[C], S Side](name, summary string, defaults func() C, build func(C, feed.StageEnv) (S, error)) feed.Factory {
	return feed.SideFactory[C, P, S](feed.KindObservation, name, summary, defaults, build)
}

// NewExpectation makes an expectation.
func NewExpectation(f feed.Factory, c feed.StageConfig, env feed.StageEnv) (Expectation, error) {
	return asSide[Expectation](f, c, env)
}

// NewObservation makes an observation.
func NewObservation(f feed.Factory, c feed.StageConfig, env feed.StageEnv) (Side, error) {
	return asSide[Side](f, c, env)
}

func asSide[S Side](f feed.Factory, c feed.StageConfig, env feed.StageEnv) (s S, err error) {
	made, err := f.Side(c, env)
	if err != nil {
		return s, err
	}
	s, ok := made.(S)
	if !ok {
		return s, errors.Join(fmt.Errorf("%s %s: %T is not one", f.Kind, f.Name, made), made.Close())
	}
	return s, nil
}
