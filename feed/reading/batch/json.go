package batch

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// JSONGzip returns the codec json+gzip.
func JSONGzip() Codec { return jsonLines{"json+gzip", gzipped{}} }

// JSONZstd returns the codec json+zstd.
func JSONZstd() Codec { return jsonLines{"json+zstd", zstandard{}} }

// jsonLines writes each reading as a JSON object and a line feed, as package
// reading does, and compresses that.
type jsonLines struct {
	name        string
	compression compression
}

// compression is safe for concurrent use.
type compression interface {
	// compress appends src, compressed, to dst.
	compress(dst, src []byte) ([]byte, error)
	// decompress appends what src holds to dst, which is empty, and takes no more
	// memory than that and what l allows.
	decompress(dst, src []byte, l Limits) ([]byte, error)
}

// jsonScratch is what is used again.
type jsonScratch struct {
	text   []byte
	parser reading.Parser
}

// keptScratch bounds what is kept to be used again.
const keptScratch = 4 << 20

var jsonScratches = sync.Pool{New: func() any { return new(jsonScratch) }}

func (s *jsonScratch) release() {
	if cap(s.text) > keptScratch {
		s.text = nil
	}
	jsonScratches.Put(s)
}

func (j jsonLines) Name() string { return j.name }

func (j jsonLines) Append(dst []byte, rs []reading.Reading) ([]byte, error) {
	s := jsonScratches.Get().(*jsonScratch)
	defer s.release()
	s.text = s.text[:0]
	for i := range rs {
		s.text = append(rs[i].AppendJSON(s.text), '\n')
	}
	return j.compression.compress(dst, s.text)
}

func (j jsonLines) Decode(dst []reading.Reading, body []byte, l Limits) ([]reading.Reading, error) {
	l = l.OrDefaults()
	s := jsonScratches.Get().(*jsonScratch)
	defer s.release()
	text, err := j.compression.decompress(s.text[:0], body, l)
	if err != nil {
		return dst, err
	}
	s.text = text
	made := dst
	for n := 0; len(text) > 0; n++ {
		end := bytes.IndexByte(text, '\n')
		switch {
		case end < 0:
			return dst, errors.New("the last reading does not end with a line feed")
		case n == l.MaxReadings:
			return dst, l.tooMany()
		}
		r, err := s.parser.Parse(text[:end])
		if err != nil {
			return dst, &Corrupt{ReasonReading, fmt.Errorf("line %d: %w", n+1, err)}
		}
		if len(r.Value.Text()) > l.MaxText {
			return dst, corrupt(ReasonLimits, "line %d: the text has %d bytes, more than %d", n+1, len(r.Value.Text()), l.MaxText)
		}
		made = append(made, r)
		text = text[end+1:]
	}
	return made, nil
}
