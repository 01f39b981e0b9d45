package cloudapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Options say what a server serves. The zero value is an API on a free port of
// 127.0.0.1, in a temporary directory, with clients of its own making.
type Options struct {
	// Listen is host:port; empty is 127.0.0.1:0.
	Listen string
	// CertFile and KeyFile, PEM, make it speak TLS.
	CertFile, KeyFile string
	// Data is a SQLite file, or a directory for one named readings.db. Empty is a
	// temporary directory that Close removes. One server uses it at a time.
	Data string
	// Clients may ask for tokens. Without any there are those of
	// [DefaultClients], beside the data.
	Clients []Client
	// TokenLifetime is how long a token is good; 0 is [DefaultTokenLifetime].
	TokenLifetime time.Duration
	// Rate is in requests a second and client, to /v1; 0 is no limit.
	Rate float64
	// AllowedLateness is taken off the watermark.
	AllowedLateness time.Duration
	// Devices is how many must have delivered before there is a watermark.
	Devices int
	// Faults replace those that the data has; nil keeps them.
	Faults *Faults
	// Logger is told of what no client is; nil is [slog.Default].
	Logger *slog.Logger
	// Now is the clock of tokens, rates and late readings; nil is [time.Now].
	Now func() time.Time

	// headerPatience is how long a client may take for the head of a request.
	headerPatience time.Duration
}

// DefaultTokenLifetime is short, so that clients see tokens expire.
const DefaultTokenLifetime = 5 * time.Minute

// Validate reports what is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if _, _, err := net.SplitHostPort(o.Listen); o.Listen != "" && err != nil {
		bad("listen: %q is no address: write host and port, such as 127.0.0.1:8080", o.Listen)
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		bad("cert, key: a certificate needs its key, and a key its certificate: give both")
	}
	if o.TokenLifetime != 0 && (o.TokenLifetime < time.Second || o.TokenLifetime > 24*time.Hour) {
		bad("token lifetime: %v is out of range: give 1s to 24h", o.TokenLifetime)
	}
	if !(o.Rate >= 0 && o.Rate <= 1e6) {
		bad("rate: %v is out of range: give up to 1000000 requests a second, or 0 for no limit", o.Rate)
	}
	if o.AllowedLateness < 0 {
		bad("lateness: %v is negative: give 0 or more", o.AllowedLateness)
	}
	if o.Devices < 0 {
		bad("devices: %d is negative: give 0 or more", o.Devices)
	}
	errs = append(errs, validateClients(o.Clients))
	if o.Faults != nil {
		errs = append(errs, o.Faults.Validate())
	}
	return errors.Join(errs...)
}

func (o Options) orDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.TokenLifetime == 0 {
		o.TokenLifetime = DefaultTokenLifetime
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.headerPatience == 0 {
		o.headerPatience = 10 * time.Second
	}
	return o
}
