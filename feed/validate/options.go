package validate

import "time"

// Options says how two sides are compared. Its fields carry the keys of a
// configuration file.
type Options struct {
	Window   time.Duration `yaml:"window" doc:"Length of a window: the time of a tag of a device that gets a verdict of its own. Windows begin at multiples of it since 1970 in UTC."`
	Lateness time.Duration `yaml:"lateness" doc:"How long after the end of a window the expectation's watermark must be before the window is judged."`
	Rules    Rules         `yaml:"rules" doc:"When two readings say the same."`
	// MaxCells and MaxRecords bound the memory.
	MaxCells   int `yaml:"maxCells" doc:"Most windows of devices and tags that are held in memory at a time; longer ranges are compared in slices. One takes about 200 bytes."`
	MaxRecords int `yaml:"maxRecords" doc:"Most readings that are held in memory at a time, when windows that differ are compared reading by reading. One takes about 300 bytes."`
	MaxListed  int `yaml:"maxListed" doc:"Most discrepancies, windows and devices that a report lists one by one; the rest is counted."`
}

// Rules say when two readings say the same.
type Rules struct {
	Numbers   Numbers       `yaml:"numbers" doc:"canonical takes 1, 1.0 and 1e0 for the same number; typed also compares whether it is an integer or a float."`
	Tolerance Tolerance     `yaml:"tolerance" doc:"By how much two numbers may differ when one of them is a float at least."`
	Time      time.Duration `yaml:"time" doc:"Times are rounded down to multiples of this before they are compared, such as 1us or 1ms; 0 compares nanoseconds."`
	Strings   Strings       `yaml:"strings" doc:"How texts of values, sites, lines and qualities are compared: exact compares bytes; nfc compares Unicode in normal form C; trimmed also leaves out white space at both ends. Names of devices and tags are compared byte by byte."`
	Ignore    []Field       `yaml:"ignore" doc:"Members that are not compared: site, line, quality, seq. Without seq a reading is known by device, tag and time."`
	Late      time.Duration `yaml:"late" doc:"How long a reading may take from its time to its arrival before it is called late; 0 calls none late."`
	// Tolerated verdicts are reported and do not make a result discrepant.
	Tolerate []Verdict `yaml:"tolerate" doc:"Verdicts that are reported without making the result a bad one: duplicate, late, outOfOrder, extra."`
}

// Tolerance says by how much floats may differ: either is enough.
type Tolerance struct {
	Absolute float64 `yaml:"absolute" doc:"Greatest difference."`
	Relative float64 `yaml:"relative" doc:"Greatest difference as a part of the larger of the two."`
}

// Numbers says how numbers are compared.
type Numbers string

// The ways to compare numbers.
const (
	NumbersCanonical Numbers = "canonical"
	NumbersTyped     Numbers = "typed"
)

// Values returns all of them.
func (Numbers) Values() []string { return []string{string(NumbersCanonical), string(NumbersTyped)} }

// Strings says how texts are compared.
type Strings string

// The ways to compare texts.
const (
	StringsExact   Strings = "exact"
	StringsNFC     Strings = "nfc"
	StringsTrimmed Strings = "trimmed"
)

// Values returns all of them.
func (Strings) Values() []string {
	return []string{string(StringsExact), string(StringsNFC), string(StringsTrimmed)}
}

// Field is a member of a reading that need not count.
type Field string

// The fields.
const (
	FieldSite    Field = "site"
	FieldLine    Field = "line"
	FieldQuality Field = "quality"
	FieldSeq     Field = "seq"
)

// Values returns all of them.
func (Field) Values() []string {
	return []string{string(FieldSite), string(FieldLine), string(FieldQuality), string(FieldSeq)}
}

// Values returns the verdicts that can be tolerated.
func (Verdict) Values() []string {
	return []string{string(Duplicate), string(Late), string(OutOfOrder), string(Extra)}
}

// DefaultOptions returns the defaults: hours, exact values, and copies, lateness
// and disorder tolerated, since a feed delivers at least once.
func DefaultOptions() Options {
	return Options{
		Window: time.Hour, Lateness: 10 * time.Minute,
		Rules:    Rules{Numbers: NumbersCanonical, Strings: StringsExact, Tolerate: []Verdict{Duplicate, Late, OutOfOrder}},
		MaxCells: 1_000_000, MaxRecords: 1_000_000, MaxListed: 1000,
	}
}
