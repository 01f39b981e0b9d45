package batch

import (
	"errors"
	"sync"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// Columnar returns the codec columnar. It puts like beside like: names stand there
// once, each series (the readings of one tag) has its times, values and
// qualities as columns, and what each column holds is the difference from what
// was to be expected. Over that goes zstd where it gains.
func Columnar() Codec { return columnar{} }

type columnar struct{}

func (columnar) Name() string { return "columnar" }

// The first byte of a body says how its columns follow.
const (
	plainColumns = 0
	zstdColumns  = 1
)

func (columnar) Append(dst []byte, rs []reading.Reading) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer e.release()
	e.content = e.encode(e.content[:0], rs)
	start := len(dst)
	packed, err := zstandard{}.compress(append(dst, zstdColumns), e.content)
	if err != nil {
		return dst, err
	}
	if len(packed)-start > len(e.content) {
		return append(append(packed[:start], plainColumns), e.content...), nil
	}
	return packed, nil
}

func (columnar) Decode(dst []reading.Reading, body []byte, l Limits) ([]reading.Reading, error) {
	l = l.OrDefaults()
	if len(body) == 0 {
		return dst, errors.New("the body is empty")
	}
	d := decoders.Get().(*decoder)
	defer d.release()
	content := body[1:]
	switch body[0] {
	case plainColumns:
		if len(content) > l.MaxBytes {
			return dst, l.tooLong(len(body))
		}
	case zstdColumns:
		var err error
		if content, err = (zstandard{}).decompress(d.content[:0], content, l); err != nil {
			return dst, err
		}
		d.content = content
	default:
		return dst, errors.New("the columns are packed in an unknown way")
	}
	return d.decode(dst, content, l)
}

var (
	encoders = sync.Pool{New: func() any { return newEncoder() }}
	decoders = sync.Pool{New: func() any { return new(decoder) }}
)

// A source is where readings come from.
type source struct{ site, line, device int } // names

// A state is what of a reading seldom changes.
type state struct {
	kind    reading.Kind
	quality int // a name
}
