package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/http"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

// simulation is what the flags of feed simulate say.
type simulation struct {
	source simulate.Config
	chaos  string
	period time.Duration // how long; 0 is without end

	url, exchange                   string
	api, clientID, clientSecretFile string
	caFile                          string

	asJSON bool
}

func newSimulation() *simulation { return &simulation{source: simulate.DefaultConfig()} }

func (o *simulation) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.url, "url", "", "address of RabbitMQ: amqp://[user:password@]host[:5672][/vhost]")
	f.StringVar(&o.exchange, "exchange", "devices", "topic exchange that batches go to")
	f.StringVar(&o.api, "api", "", "address of the cloud API, such as https://host:8080")
	f.StringVar(&o.clientID, "client-id", "", "who this is to the API (default: $FEED_API_CLIENT_ID)")
	f.StringVar(&o.clientSecretFile, "client-secret-file", "", "file with its secret (default: $FEED_API_CLIENT_SECRET)")
	f.StringVar(&o.caFile, "ca-file", "", "PEM file of authorities to trust besides those of the system")
	c := &o.source
	f.StringSliceVar(&c.Sites, "site", c.Sites, "names of the sites, with commas")
	f.IntVar(&c.Lines, "lines", c.Lines, "lines of each site")
	f.IntVar(&c.Devices, "devices", c.Devices, "devices of all sites together")
	f.IntVar(&c.Tags, "tags", c.Tags, "tags of each device")
	f.IntVar(&c.Rate, "rate", c.Rate, "readings a second of all devices together; 0 is as fast as they are taken")
	f.DurationVar(&c.Period, "period", c.Period, "time between two samples of a device, with --rate 0")
	f.Int64Var(&c.Count, "count", 0, "readings after which it ends; 0 is without end")
	f.DurationVar(&o.period, "for", 0, "how long devices send; 0 is without end")
	f.Int64Var(&c.Seed, "seed", c.Seed, "what all but the times follows from")
	f.StringVar(&c.Start, "start", "", "time at which the devices begin, as 2026-01-01T00:00:00Z (default: now)")
	f.IntVar(&c.Batch.Readings, "batch-readings", c.Batch.Readings, "most readings of a batch")
	f.DurationVar(&c.Batch.Every, "batch-every", c.Batch.Every, "how long a device collects readings for a batch at most")
	f.StringVar((*string)(&c.Codec), "codec", string(c.Codec), "how batches are encoded: "+strings.Join(c.Codec.Values(), ", "))
	f.StringVar(&o.chaos, "chaos", "", "what goes wrong, as corrupt=1%,duplicate=2%")
	f.BoolVar(&o.asJSON, "json", false, "print the outcome as JSON")
}

// settle sets what other flags leave open, and reports what is wrong.
func (o *simulation) settle(now time.Time) error {
	var errs []error
	if o.url == "" && o.api == "" {
		errs = append(errs, errors.New("there is nowhere to send to: give --url for RabbitMQ, --api for the cloud API, or both"))
	}
	if o.period < 0 {
		errs = append(errs, fmt.Errorf("--for: %v is negative", o.period))
	}
	if o.chaos != "" && o.url == "" {
		errs = append(errs, errors.New("--chaos: it is for RabbitMQ: give --url"))
	}
	if err := o.source.Chaos.ParseChaos(o.chaos); err != nil {
		errs = append(errs, fmt.Errorf("--chaos: %w", err))
	}
	// Both sources are to begin at one time.
	o.source.Start = cmp.Or(o.source.Start, now.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano))
	errs = append(errs, asFlags(o.source.Validate())...)
	return errors.Join(errs...)
}

// asFlags lets problems name flags instead of keys.
func asFlags(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var errs []error
	for _, err := range joined.Unwrap() {
		var ce *feed.ConfigError
		if errors.As(err, &ce) {
			flag, _, _ := strings.Cut(strings.ReplaceAll(ce.Key, ".", "-"), "[")
			flag = strings.Replace(strings.Replace(flag, "sites", "site", 1), "chaos-", "chaos ", 1)
			err = fmt.Errorf("--%s: %s: %s", flag, ce.Problem, ce.Remedy)
		}
		errs = append(errs, err)
	}
	return errs
}

// amqpSink is where batches go in RabbitMQ.
func (o *simulation) amqpSink() (amqp.SinkConfig, error) {
	c := amqp.DefaultSinkConfig()
	var err error
	if c.URL, err = feed.ParseURL(o.url, os.LookupEnv); err != nil {
		return c, fmt.Errorf("--url: %w", err)
	}
	c.Exchange, c.TLS.CAFile = o.exchange, o.caFile
	if c.Exchange != "" {
		c.Declare = &amqp.Exchange{}
	}
	return c, nil
}

// apiSink is where batches go in the cloud.
func (o *simulation) apiSink() (http.SinkConfig, error) {
	c := http.DefaultSinkConfig()
	base, err := feed.ParseURL(o.api, os.LookupEnv)
	if err != nil {
		return c, fmt.Errorf("--api: %w", err)
	}
	u, err := base.Parse()
	if err != nil {
		return c, fmt.Errorf("--api: %w", err)
	}
	c.URL, c.TLS.CAFile = under(u, "v1/batches"), o.caFile
	client := http.OAuth2{TokenURL: under(u, "oauth2/token"), ClientID: cmp.Or(o.clientID, os.Getenv("FEED_API_CLIENT_ID")), Scopes: []string{"readings.write"}}
	if client.ClientID == "" {
		return c, errors.New("--client-id is missing: give it, or set FEED_API_CLIENT_ID")
	}
	if client.ClientSecret = feed.NewSecret(os.Getenv("FEED_API_CLIENT_SECRET")); o.clientSecretFile != "" {
		client.ClientSecret = feed.SecretFile(o.clientSecretFile)
	}
	if client.ClientSecret.IsZero() {
		return c, errors.New("--client-secret-file is missing: give it, or set FEED_API_CLIENT_SECRET")
	}
	c.OAuth2 = &client
	return c, nil
}

func under(u *url.URL, path string) feed.URL { return feed.NewURL(u.JoinPath(path).String()) }
