package blob

import (
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/kraft-edge/datafeed/feed"
)

// errNoObject is permanent: the payload will never be an object.
var errNoObject = feed.Permanent(errors.New("payload is no JSON object in UTF-8, and a row of Parquet is made of one"))

// rowGroupRows bounds a row group, and with it what a reader must hold to use
// it. DuckDB's own files have about as many.
const rowGroupRows = 100_000

// parquetEncoder turns messages into the bytes of a Parquet file. Equal messages
// make equal bytes: nothing in the file comes from a clock or from the version
// of this program.
type parquetEncoder struct {
	out    outBuffer
	writer *parquet.GenericWriter[any]
	raw    int // bytes of payloads
	row    row
	values [1]parquet.Row
}

func newParquetEncoder(c Compression) *parquetEncoder {
	e := &parquetEncoder{}
	e.writer = parquet.NewGenericWriter[any](&e.out,
		readingSchema,
		parquet.Compression(c.codec()),
		parquet.MaxRowsPerRowGroup(rowGroupRows),
		parquet.CreatedBy("datafeed", "1", "0"),
		parquet.DataPageStatistics(true),
	)
	return e
}

func (c Compression) codec() compress.Codec {
	switch c {
	case Gzip:
		return &parquet.Gzip
	case Zstd:
		return &parquet.Zstd
	}
	return &parquet.Uncompressed
}

func (e *parquetEncoder) begin(int) {
	e.raw, e.out.b = 0, e.out.b[:0]
	e.writer.Reset(&e.out)
}

func (e *parquetEncoder) size() int { return e.raw }

// add appends a row. A payload that is no object is errNoObject.
func (e *parquetEncoder) add(m *message.Message, _ string) error {
	if !e.row.read(m.Payload) {
		return errNoObject
	}
	e.raw += len(m.Payload)
	e.values[0] = e.row.values
	if _, err := e.writer.WriteRows(e.values[:]); err != nil {
		return fmt.Errorf("write a row: %w", err)
	}
	return nil
}

func (e *parquetEncoder) finish() ([]byte, error) {
	if err := e.writer.Close(); err != nil {
		return nil, fmt.Errorf("finish the Parquet file: %w", err)
	}
	return e.out.b, nil
}

func (e *parquetEncoder) release() {
	e.row.release()
	if cap(e.out.b) > keepBytes {
		e.out.b = nil
	}
}
