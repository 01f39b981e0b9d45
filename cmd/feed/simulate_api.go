package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
)

const simulateAPIHelp = `Stands in for the cloud API of a vendor: devices deliver readings to it, and a
validator asks it for what there should be. No vendor's API is public; this one
is an invention, described at /openapi.json and in docs/cloud-api.md.

Clients get short-lived tokens with OAuth 2 client credentials. Without
--clients there are device, validator and admin, whose random secrets stand in
files beside the data. With --clients they stand in a YAML file:

  clients:
    - {id: validator, secret: "${VALIDATOR_SECRET}", scopes: [readings.read]}

Scopes are readings.read, readings.write and admin. A secret may also be
"${file:/path}".

It can lie on purpose, about readings that --seed chooses, and tells admin about
which: GET /admin/faults; PUT sets other faults. Without a flag for a fault those
that the data has remain.

SIGTERM or SIGINT lets requests that have begun end; a second signal does not.`

func (c *cli) simulateAPI() *cobra.Command {
	o := cloudapi.Options{TokenLifetime: cloudapi.DefaultTokenLifetime}
	var faults cloudapi.Faults
	var clients string
	cmd := &cobra.Command{
		Use:   "api",
		Short: "Stand in for a vendor's cloud API, which holds the truth",
		Long:  simulateAPIHelp,
		Args:  arguments(0, 0),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address to listen on; port 0 is any free one")
	flags.StringVar(&o.Data, "data", "", "SQLite file, or directory for one named readings.db (default: a temporary one, removed at the end)")
	flags.StringVar(&o.CertFile, "cert", "", "PEM file of a certificate, for TLS")
	flags.StringVar(&o.KeyFile, "key", "", "PEM file of its private key")
	flags.StringVar(&clients, "clients", "", "YAML file of the clients")
	flags.DurationVar(&o.TokenLifetime, "token-lifetime", o.TokenLifetime, "how long a token is good")
	flags.Float64Var(&o.Rate, "rate", 0, "requests a second that each client may make; 0 is no limit")
	flags.DurationVar(&o.AllowedLateness, "lateness", 0, "how much the watermark is behind what has arrived")
	flags.IntVar(&o.Devices, "devices", 0, "devices that must have delivered before there is a watermark")
	ofFaults := []string{"seed", "one-in", "drop", "alter", "duplicate", "late", "late-for", "stall-watermark", "unavailable"}
	flags.Uint64Var(&faults.Seed, "seed", 0, "chooses the readings to lie about")
	flags.IntVar(&faults.OneIn, "one-in", 100, "how far these are apart, on average")
	flags.IntVar(&faults.Drop, "drop", 0, "readings to leave out")
	flags.IntVar(&faults.Alter, "alter", 0, "readings to tell with another value")
	flags.IntVar(&faults.Duplicate, "duplicate", 0, "readings to tell twice")
	flags.IntVar(&faults.Late, "late", 0, "readings to leave out for some time")
	flags.DurationVar((*time.Duration)(&faults.LateFor), "late-for", 30*time.Second, "for how long")
	flags.BoolVar(&faults.StallWatermark, "stall-watermark", false, "never move the watermark")
	flags.IntVar(&faults.Unavailable, "unavailable", 0, "answer 503 to one in so many requests; 0 is none")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		for _, name := range ofFaults {
			if flags.Changed(name) {
				o.Faults = &faults
			}
		}
		if clients != "" {
			if o.Clients, err = cloudapi.LoadClients(clients); err != nil {
				return err
			}
		}
		if err := o.Validate(); err != nil {
			return err
		}
		return failed(c.serveAPI(cmd, o, clients))
	}
	return cmd
}

// serveAPI serves until a signal comes.
func (c *cli) serveAPI(cmd *cobra.Command, o cloudapi.Options, clients string) (err error) {
	o.Logger = slog.New(slog.NewTextHandler(c.stderr, nil))
	ctx, stop := drainOnSignal(cmd.Context(), o.Logger)
	defer stop()
	server, err := cloudapi.Start(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	fmt.Fprint(c.stdout, howToUse(server, o, clients))
	watch := c.watchAPI(server)
	<-ctx.Done()
	watch.stop()
	return nil
}

// howToUse tells where the API is, who may use it, and how.
func howToUse(s *cloudapi.Server, o cloudapi.Options, clients string) string {
	var b strings.Builder
	data := s.Path()
	if o.Data == "" {
		data += " (removed at the end)"
	}
	fmt.Fprintf(&b, "cloud API  %s (a stand-in, of this project's invention)\ndata       %s\n", s.URL(), data)
	head := "clients    "
	for _, client := range s.Clients() {
		secret := "in " + clients
		if clients == "" {
			secret = "in " + cloudapi.SecretPath(s.Path(), client.ID)
		}
		fmt.Fprintf(&b, "%s%s %v, secret %s\n", head, client.ID, client.Scopes, secret)
		head = "           "
	}
	id, secret := s.Clients()[0].ID, "SECRET"
	for _, client := range s.Clients() {
		for _, scope := range client.Scopes {
			if scope == cloudapi.ScopeRead {
				id = client.ID
			}
		}
	}
	if clients == "" {
		secret = "$(cat '" + cloudapi.SecretPath(s.Path(), id) + "')"
	}
	fmt.Fprintf(&b, `a token    curl -u "%s:%s" -d grant_type=client_credentials %s/oauth2/token
readings   curl -H "Authorization: Bearer TOKEN" "%s/v1/readings?limit=10"
all of it  %s/openapi.json
`, id, secret, s.URL(), s.URL(), s.URL())
	return b.String()
}
