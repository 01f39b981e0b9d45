package blob

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Layout is what the objects of an observation are.
type Layout string

// The layouts.
const (
	// LayoutFeed is what the sink of this package writes, NDJSON and Parquet.
	LayoutFeed Layout = "feed"
	// LayoutParquet are Parquet files with columns of any names.
	LayoutParquet Layout = "parquet"
	// LayoutDelta is a Delta table.
	LayoutDelta Layout = "delta"
)

// Values returns all layouts.
func (Layout) Values() []string {
	return []string{string(LayoutFeed), string(LayoutParquet), string(LayoutDelta)}
}

// Columns says which columns of a Parquet file or a Delta table hold the members
// of a reading.
type Columns struct {
	Site    string   `yaml:"site" doc:"Column of the site; empty when there is none."`
	Line    string   `yaml:"line" doc:"Column of the line; empty when there is none."`
	Device  string   `yaml:"device" doc:"Column of the device."`
	Tag     string   `yaml:"tag" doc:"Column of the tag."`
	Time    string   `yaml:"ts" doc:"Column of the time: a timestamp, a text by RFC 3339, or a number of timeUnit since 1970."`
	Value   []string `yaml:"value" doc:"Columns of the value, of numbers, truth values or texts: the one that is not null is taken."`
	Quality string   `yaml:"quality" doc:"Column of the quality; empty when there is none."`
	Seq     string   `yaml:"seq" doc:"Column of the number that counts the readings of a device; empty when there is none."`
	// TimeUnit is of numbers that do not tell theirs.
	TimeUnit TimeUnit `yaml:"timeUnit" doc:"Unit of a ts that is a plain number: s, ms, us or ns."`
	// TimeStep is how finely the place keeps times.
	TimeStep time.Duration `yaml:"timeStep" doc:"Finest time that the columns hold, such as 1us; times are compared up to it."`
}

// TimeUnit is a unit of time since 1970.
type TimeUnit string

// The units.
const (
	Seconds      TimeUnit = "s"
	Milliseconds TimeUnit = "ms"
	Microseconds TimeUnit = "us"
	Nanoseconds  TimeUnit = "ns"
)

// Values returns all units.
func (TimeUnit) Values() []string {
	return []string{string(Seconds), string(Milliseconds), string(Microseconds), string(Nanoseconds)}
}

func (u TimeUnit) nanos() int64 {
	switch u {
	case Seconds:
		return int64(time.Second)
	case Milliseconds:
		return int64(time.Millisecond)
	case Microseconds:
		return int64(time.Microsecond)
	}
	return 1
}

// ObservationConfig configures an observation of objects.
type ObservationConfig struct {
	URL              feed.URL      `yaml:"url" doc:"Where the objects are: file:///directory, or https://ACCOUNT.blob.core.windows.net/CONTAINER, with a SAS as its query or without one to use an identity."`
	ConnectionString feed.Secret   `yaml:"connectionString" doc:"Connection string of an Azure storage account, instead of url."`
	Container        string        `yaml:"container" doc:"Container; with url, empty takes it from the URL's path."`
	Layout           Layout        `yaml:"layout" doc:"What the objects are: feed is NDJSON and Parquet as the blob sink writes them, parquet are files with the columns named below, delta is a Delta table with these columns."`
	Prefix           string        `yaml:"prefix" doc:"Directory below which the objects, or of the Delta table, are; empty is all."`
	Path             string        `yaml:"path" doc:"The path of the sink that writes the objects; the date and the hour in it keep objects of other times from being listed and read. Empty reads all below prefix."`
	ExactlyOnce      bool          `yaml:"exactlyOnce" doc:"Whether the sink has exactlyOnce, so that path makes the directories of objects."`
	Slack            time.Duration `yaml:"slack" doc:"How far the time by which path files a message may be from the times of its readings, before and after; a message without a time of its own is filed by when it was received."`
	Columns          Columns       `yaml:"columns" doc:"Columns of the layouts parquet and delta."`
	Parallel         int           `yaml:"parallel" doc:"Most objects that are read at a time."`
	Memory           feed.Size     `yaml:"memory" doc:"Most bytes of Parquet files that are held in memory at a time: three quarters are for rows as they are stored, and bound the largest row group, one is for metadata."`
	MaxObjectBytes   feed.Size     `yaml:"maxObjectBytes" doc:"Largest object after decompression; what is larger cannot be read."`
	MaxLineBytes     feed.Size     `yaml:"maxLineBytes" doc:"Longest line of NDJSON; a longer one cannot be read."`
	TryTimeout       time.Duration `yaml:"tryTimeout" doc:"Longest time of one request, which fetches up to 4 MiB of NDJSON, or up to memory of Parquet."`
	TLS              TLS           `yaml:"tls" doc:"Whom to trust."`
	Azure            AzureIdentity `yaml:"azure" doc:"Identity."`
}

// DefaultObservationConfig returns the defaults. They lack the place to read.
func DefaultObservationConfig() ObservationConfig {
	return ObservationConfig{
		Layout: LayoutFeed,
		Slack:  24 * time.Hour,
		Columns: Columns{
			Site: "site", Line: "line", Device: "device", Tag: "tag", Time: "ts", Value: []string{"value"}, Quality: "quality", Seq: "seq",
			TimeStep: time.Microsecond,
		},
		Parallel:       4,
		Memory:         256 * feed.MiB,
		MaxObjectBytes: DefaultReadBytes,
		MaxLineBytes:   8 * feed.MiB,
		TryTimeout:     30 * time.Second,
		Azure:          AzureIdentity{Identity: IdentityDefault},
	}
}

// access is what the clients of the place take.
func (c *ObservationConfig) access() Config {
	return Config{URL: c.URL, ConnectionString: c.ConnectionString, Container: c.Container, TryTimeout: c.TryTimeout, TLS: c.TLS, Azure: Azure{AzureIdentity: c.Azure}}
}

// Validate reports all that is wrong. It does no I/O and reads no secret file.
func (c *ObservationConfig) Validate() error {
	access := c.access()
	errs := access.validatePlace()
	bad := func(key, problem, remedy string) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy})
	}
	oneOf(bad, "layout", c.Layout)
	if strings.HasPrefix(c.Prefix, "/") || strings.HasPrefix(c.Prefix, ".") || strings.Contains(c.Prefix, "//") {
		bad("prefix", fmt.Sprintf("%q is no directory below the container", c.Prefix), "such as plant1/telemetry")
	}
	c.validatePath(bad)
	if c.Slack < 0 {
		bad("slack", fmt.Sprintf("%s is negative", c.Slack), "such as 24h")
	}
	if c.Layout != LayoutFeed {
		c.Columns.validate(bad)
	}
	if c.Parallel < 1 || c.Parallel > 64 {
		bad("parallel", fmt.Sprintf("%d is not between 1 and 64", c.Parallel), "such as 4")
	}
	between := func(key string, v, least, most feed.Size, such string) {
		if v < least || v > most {
			bad(key, fmt.Sprintf("%s is not between %s and %s", v, least, most), "such as "+such)
		}
	}
	between("memory", c.Memory, feed.MiB, 64*feed.GiB, "256MiB")
	between("maxObjectBytes", c.MaxObjectBytes, feed.KiB, feed.TiB, "4GiB")
	between("maxLineBytes", c.MaxLineBytes, feed.KiB, feed.GiB, "8MiB")
	return errors.Join(errs...)
}

func (c *ObservationConfig) validatePath(bad func(key, problem, remedy string)) {
	if c.Path == "" {
		if c.ExactlyOnce {
			bad("path", "is missing, and exactlyOnce says how it makes names", "give the path of the sink, or remove exactlyOnce")
		}
		return
	}
	if c.Layout != LayoutFeed {
		bad("path", fmt.Sprintf("is of the blob sink, and the layout is %s", c.Layout), "remove it, and give prefix")
		return
	}
	if c.Prefix != "" {
		bad("prefix", "is given together with path", "give one of them")
	}
	if _, err := c.template(); err != nil {
		bad("path", err.Error(), "copy it from the sink")
	}
}

// template parses the path as the sink does.
func (c *ObservationConfig) template() (*template, error) {
	sink := Config{Path: c.Path, ExactlyOnce: c.ExactlyOnce}
	return sink.template()
}

func (c *Columns) validate(bad func(key, problem, remedy string)) {
	for _, needed := range []struct{ key, column string }{{"device", c.Device}, {"tag", c.Tag}, {"ts", c.Time}} {
		if needed.column == "" {
			bad("columns."+needed.key, "is missing", "name the column")
		}
	}
	if len(c.Value) == 0 || slices.Contains(c.Value, "") {
		bad("columns.value", "names no column", "such as [value]")
	}
	if c.TimeUnit != "" {
		oneOf(bad, "columns.timeUnit", c.TimeUnit)
	}
	if c.TimeStep < 0 {
		bad("columns.timeStep", fmt.Sprintf("%s is negative", c.TimeStep), "such as 1us")
	}
}

// identity tells all that decides what is read at a place, and what is made of it.
func (c *ObservationConfig) identity(p place) string {
	return fmt.Sprintf("%s layout %q prefix %q path %q exactlyOnce %t slack %v columns %#v memory %d maxObjectBytes %d maxLineBytes %d",
		p, c.Layout, c.Prefix, c.Path, c.ExactlyOnce, c.Slack, c.Columns, c.Memory, c.MaxObjectBytes, c.MaxLineBytes)
}

// traits says what can be known of the place.
func (c *ObservationConfig) traits() validate.Traits {
	t := validate.Traits{Arrival: true}
	if c.Layout == LayoutFeed {
		return t
	}
	t.TimeStep = c.Columns.TimeStep
	for _, f := range []struct {
		field  validate.Field
		column string
	}{
		{validate.FieldSite, c.Columns.Site}, {validate.FieldLine, c.Columns.Line},
		{validate.FieldQuality, c.Columns.Quality}, {validate.FieldSeq, c.Columns.Seq},
	} {
		if f.column == "" {
			t.Lost = append(t.Lost, string(f.field))
		}
	}
	return t
}
