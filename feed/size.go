package feed

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes. Its text form takes the units B, KiB, MiB, GiB,
// TiB (powers of 1024) and kB, MB, GB, TB (powers of 1000); a bare number
// means bytes.
type Size int64

// The binary units.
const (
	KiB Size = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

var sizeUnits = []struct {
	suffix string
	factor Size
}{
	{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// ParseSize parses a size such as "4MiB". It refuses negative sizes, unknown
// units and sizes beyond 8 EiB.
func ParseSize(text string) (Size, error) {
	number, factor := strings.TrimSpace(text), Size(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = strings.TrimSpace(n), u.factor
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no size: write a whole number and one of the units B, kB, MB, GB, TB, KiB, MiB, GiB, TiB", text)
	}
	if n > int64(1<<63-1)/int64(factor) {
		return 0, fmt.Errorf("%q is too large a size", text)
	}
	return Size(n) * factor, nil
}

// UnmarshalText parses a size with [ParseSize].
func (s *Size) UnmarshalText(text []byte) error {
	n, err := ParseSize(string(text))
	if err != nil {
		return err
	}
	*s = n
	return nil
}

// String prints the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits[:4] {
		if s != 0 && s%u.factor == 0 {
			return strconv.FormatInt(int64(s/u.factor), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText prints the size as [Size.String] does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
