package batch

import "github.com/kraft-edge/datafeed/feed/reading"

// Codec makes bodies of readings and readings of bodies. It is safe for
// concurrent use.
type Codec interface {
	// Name is what stands in the envelope: 1 to 32 bytes.
	Name() string
	// Append appends a body to dst. The readings are valid; it retains nothing.
	Append(dst []byte, rs []reading.Reading) ([]byte, error)
	// Decode appends the readings of a body to dst: valid ones, in their order, to
	// the bit as Append got them. It takes no more memory than l allows, whatever
	// the body says, and retains nothing of it. An error means that the body cannot
	// be decoded, unless it is an [*Unavailable] one.
	Decode(dst []reading.Reading, body []byte, l Limits) ([]reading.Reading, error)
}

// Codecs are those that are known. Of two with one name the first counts.
type Codecs []Codec

// All returns the codecs of this package; the slice is the caller's, who may put
// others before or behind them.
func All() Codecs { return Codecs{JSONGzip(), JSONZstd(), Columnar()} }

// Lookup returns the codec of a name.
func (cs Codecs) Lookup(name string) (Codec, bool) {
	for _, c := range cs {
		if c.Name() == name {
			return c, true
		}
	}
	return nil, false
}
