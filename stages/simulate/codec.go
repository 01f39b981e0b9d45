package simulate

import "github.com/kraft-edge/datafeed/feed/reading/batch"

// Codec is the name of a codec of package batch, or [Mixed].
type Codec string

// Mixed gives each device one of the codecs, in turn.
const Mixed Codec = "mixed"

// Values returns all names.
func (Codec) Values() []string {
	var names []string
	for _, c := range batch.All() {
		names = append(names, c.Name())
	}
	return append(names, string(Mixed))
}

// of returns the codec of a device, by its number.
func (c Codec) of(device int) batch.Codec {
	all := batch.All()
	if named, ok := all.Lookup(string(c)); ok {
		return named
	}
	return all[device%len(all)]
}
