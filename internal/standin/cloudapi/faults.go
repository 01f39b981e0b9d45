package cloudapi

import (
	"errors"
	"fmt"
	"time"
)

// Faults are what the API does wrong on purpose. The zero value is nothing.
type Faults struct {
	// Seed chooses the readings, and how they are altered.
	Seed uint64 `json:"seed"`
	// OneIn is how far the chosen readings are apart, on average; 0 is 100. Which
	// ones can be chosen follows from Seed and the reading alone; the first of
	// them that are delivered are.
	OneIn int `json:"oneIn"`
	// Drop, Alter, Duplicate and Late are how many readings are left out, told with
	// another value, told twice, and left out until LateFor after they were chosen;
	// at most [MaxLies] each.
	Drop      int `json:"drop"`
	Alter     int `json:"alter"`
	Duplicate int `json:"duplicate"`
	Late      int `json:"late"`
	// LateFor is 30 s when it is 0.
	LateFor Duration `json:"lateFor"`
	// StallWatermark keeps the watermark as it is.
	StallWatermark bool `json:"stallWatermark"`
	// Unavailable answers 503 to each request of so many to /v1; 0 to none.
	Unavailable int `json:"unavailable"`
}

// MaxLies bounds the readings of each kind of fault.
const MaxLies = 1000

// Duration is written as 30s or 1m30s in JSON.
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Validate reports what is wrong with the faults.
func (f *Faults) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("faults: "+format, a...)) }
	for _, c := range []struct {
		name  string
		count int
	}{{kindDrop, f.Drop}, {kindAlter, f.Alter}, {kindDuplicate, f.Duplicate}, {kindLate, f.Late}} {
		if c.count < 0 || c.count > MaxLies {
			bad("%s: %d is out of range: give 0 to %d", c.name, c.count, MaxLies)
		}
	}
	if f.OneIn < 0 || f.OneIn > 1e9 {
		bad("oneIn: %d is out of range: give 1 to 1000000000", f.OneIn)
	}
	if f.LateFor < 0 || time.Duration(f.LateFor) > 365*24*time.Hour {
		bad("lateFor: %v is out of range: give up to a year, in hours", time.Duration(f.LateFor))
	}
	if f.Unavailable < 0 {
		bad("unavailable: %d is negative: give 0 for never, or 10 for each tenth request", f.Unavailable)
	}
	return errors.Join(errs...)
}

func (f Faults) orDefaults() Faults {
	if f.OneIn == 0 {
		f.OneIn = 100
	}
	if f.LateFor == 0 {
		f.LateFor = Duration(30 * time.Second)
	}
	return f
}
