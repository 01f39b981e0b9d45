package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
	"github.com/kraft-edge/datafeed/internal/testenv/share"
)

// startPatience is how long all servers together may take to start.
const startPatience = 2 * time.Minute

// rabbitmqSettings go beyond those of tests.
var rabbitmqSettings = []string{
	// RabbitMQ says every second what its queues hold when it keeps the counts of
	// the last minute by the second. Otherwise it says so every five, for which
	// each run would have to wait twice.
	"management.sample_retention_policies.global.minute = 1",
	"management.sample_retention_policies.basic.minute = 1",
	"management.sample_retention_policies.detailed.minute = 1",
	// A queue of five million messages takes more than a gibibyte. At the mark
	// RabbitMQ would hold its publishers back again and again.
	"vm_memory_high_watermark.absolute = 4GiB",
}

// servers are the real servers that all contenders share.
type servers struct {
	rabbitmq   *server.RabbitMQ
	mosquitto  *server.Mosquitto
	postgresql *server.PostgreSQL
	azurite    *server.Azurite
}

// startServers starts the servers; their files are in dir.
func startServers(ctx context.Context, root, dir string) (*servers, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	s := &servers{}
	var errs [4]error
	s.rabbitmq, errs[0] = server.NewRabbitMQ(filepath.Join(dir, "rabbitmq"), server.RabbitMQConfig{Settings: rabbitmqSettings})
	// The server's own limits of what is in flight and queued are off unless settings say otherwise.
	// The count of what was received, which tells whether everything arrived, comes every second instead of every ten.
	s.mosquitto, errs[1] = server.NewMosquitto(filepath.Join(dir, "mosquitto"), server.MosquittoConfig{Settings: []string{"sys_interval 1"}})
	s.azurite, errs[2] = server.NewAzurite(filepath.Join(dir, "azurite"), server.AzuriteConfig{Program: share.AzuriteProgram(root)})
	s.postgresql, errs[3] = newPostgreSQL()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, errors.Join(err, s.close())
	}
	var starting errgroup.Group
	starting.Go(func() error { return s.rabbitmq.Start(ctx) })
	starting.Go(func() error { return s.mosquitto.Start(ctx) })
	starting.Go(func() error { return s.azurite.Start(ctx) })
	starting.Go(func() error { return s.postgresql.Start(ctx) })
	if err := starting.Wait(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// newPostgreSQL has a place of its own: the server runs as another user when we
// are root, who may not pass through other temporary folders.
func newPostgreSQL() (*server.PostgreSQL, error) {
	dir, err := os.MkdirTemp("", "feed-bench-postgresql-")
	if err != nil {
		return nil, err
	}
	p, err := server.NewPostgreSQL(dir, server.PostgreSQLConfig{Settings: []string{"synchronous_commit=on"}}) // as the feed has it, for both
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

func (s *servers) close() error {
	var errs []error
	if s.rabbitmq != nil {
		errs = append(errs, s.rabbitmq.Close())
	}
	if s.mosquitto != nil {
		errs = append(errs, s.mosquitto.Close())
	}
	if s.postgresql != nil {
		errs = append(errs, s.postgresql.Close())
	}
	if s.azurite != nil {
		errs = append(errs, s.azurite.Close())
	}
	return errors.Join(errs...)
}

func (s *servers) amqpURL() string {
	u := url.URL{Scheme: "amqp", User: url.UserPassword(s.rabbitmq.User, s.rabbitmq.Password), Host: s.rabbitmq.Addr(), Path: "/"}
	return u.String()
}

func (s *servers) blobConnection() string {
	return server.AzuriteConnectionString(s.azurite.Addr(), s.azurite.AccountName, s.azurite.AccountKey)
}

// version returns RabbitMQ's version.
func (s *servers) version(ctx context.Context) (string, error) {
	var overview struct {
		Version string `json:"rabbitmq_version"`
	}
	if err := s.rabbitmq.API.Do(ctx, "GET", "/overview", nil, &overview); err != nil {
		return "", fmt.Errorf("version of RabbitMQ: %w", err)
	}
	return overview.Version, nil
}
