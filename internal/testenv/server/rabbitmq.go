package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// RabbitMQConfig describes a RabbitMQ node. The zero value is complete.
type RabbitMQConfig struct {
	// TLS, when set, makes the node offer amqps besides amqp. Clients must then show a certificate of the same CA, and
	// may log in with it (SASL EXTERNAL) as the user that its common name names.
	TLS *TLSFiles

	// Settings are further lines of rabbitmq.conf.
	Settings []string

	// Plugins are enabled besides the management plugin, the one with the modulus hash exchange and, with TLS, EXTERNAL login.
	Plugins []string
}

// TLSFiles names PEM files: a CA, and a certificate for 127.0.0.1 signed by it.
type TLSFiles struct {
	CA, Cert, Key string
}

// RabbitMQ is a node of its own: own name, cookie, Erlang port mapper and data directory.
type RabbitMQ struct {
	API  *RabbitMQAPI
	User string
	// Password is a throw-away secret of this node: it is written to nothing but the node's own configuration.
	Password string

	dir      string
	ports    Ports
	amqp     int
	amqps    int
	epmdPort int
	env      []string
	ctl      string
	node     process
	epmd     process
}

// NewRabbitMQ prepares a node that keeps its files in dir, which it creates, and which Close removes.
func NewRabbitMQ(dir string, config RabbitMQConfig) (*RabbitMQ, error) {
	server, err := find("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	if err != nil {
		return nil, err
	}
	epmd, err := find("epmd", "/usr/bin/epmd", "/usr/lib/erlang/erts-*/bin/epmd")
	if err != nil {
		return nil, err
	}
	r := &RabbitMQ{User: "datafeed", Password: secret(), dir: dir, ctl: filepath.Join(filepath.Dir(server), "rabbitmqctl")}
	var http, dist int
	if err := r.ports.reserveAll(&r.amqp, &r.amqps, &http, &dist, &r.epmdPort); err != nil {
		return nil, errors.Join(err, r.ports.Release())
	}
	if err := r.write(config, http); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare rabbitmq: %w", err), r.Close())
	}
	r.API = newRabbitMQAPI("http://"+Address(http), r.User, r.Password)
	r.env = r.environment(dist)
	r.epmd = process{name: "epmd", path: epmd, env: r.env, dir: dir, log: filepath.Join(dir, "epmd.log")}
	r.node = process{name: "rabbitmq", path: server, env: r.env, dir: dir, log: filepath.Join(dir, "rabbitmq.log")}
	return r, nil
}

func (r *RabbitMQ) path(name string) string { return filepath.Join(r.dir, name) }

// write makes the node's directory and its configuration.
func (r *RabbitMQ) write(config RabbitMQConfig, http int) error {
	if err := os.MkdirAll(r.path("data"), 0o700); err != nil {
		return err
	}
	settings := []string{
		"listeners.tcp.local = " + Address(r.amqp),
		"management.tcp.ip = 127.0.0.1",
		"management.tcp.port = " + strconv.Itoa(http),
		"default_user = " + r.User,
		"default_pass = " + r.Password,
		"loopback_users = none",
		// Enough for a test, and far from what would make a small machine swap.
		"vm_memory_high_watermark.absolute = 1GiB",
		"disk_free_limit.absolute = 50MB",
		// Queue depths are asked for by tests, which would otherwise wait 5 s for each figure.
		"collect_statistics_interval = 500",
		"management.rates_mode = none",
		"log.console = true",
		"log.console.level = info",
		"log.file = false",
		"channel_max = 2047",
	}
	plugins := append([]string{"rabbitmq_management", "rabbitmq_sharding"}, config.Plugins...)
	if config.TLS != nil {
		plugins = append(plugins, "rabbitmq_auth_mechanism_ssl")
		settings = append(settings,
			"listeners.ssl.local = "+Address(r.amqps),
			"ssl_options.cacertfile = "+config.TLS.CA,
			"ssl_options.certfile = "+config.TLS.Cert,
			"ssl_options.keyfile = "+config.TLS.Key,
			"ssl_options.verify = verify_peer",
			"ssl_options.fail_if_no_peer_cert = true",
			"ssl_cert_login_from = common_name",
			"auth_mechanisms.1 = PLAIN",
			"auth_mechanisms.2 = AMQPLAIN",
			"auth_mechanisms.3 = EXTERNAL",
		)
	}
	settings = append(settings, config.Settings...)
	files := map[string]string{
		"rabbitmq.conf":   strings.Join(settings, "\n") + "\n",
		"advanced.config": "[{rabbit, [{quorum_tick_interval, 500}]}].\n",
		"enabled_plugins": "[" + strings.Join(plugins, ",") + "].\n",
		".erlang.cookie":  secret(),
		"rabbitmq.env":    "",
	}
	for name, content := range files {
		if err := os.WriteFile(r.path(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// environment isolates the node from the machine's own RabbitMQ, if there is one.
func (r *RabbitMQ) environment(dist int) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + r.dir, // where the cookie is
		"LC_ALL=C.UTF-8",
		"ERL_EPMD_PORT=" + strconv.Itoa(r.epmdPort),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_NODENAME=datafeed@localhost",
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(dist),
		"RABBITMQ_CONF_ENV_FILE=" + r.path("rabbitmq.env"),
		"RABBITMQ_CONFIG_FILE=" + r.path("rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + r.path("advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + r.path("enabled_plugins"),
		"RABBITMQ_GENERATED_CONFIG_DIR=" + r.path("generated"),
		"RABBITMQ_MNESIA_BASE=" + r.path("data"),
		"RABBITMQ_LOG_BASE=" + r.path("log"),
		"RABBITMQ_PID_FILE=" + r.path("rabbitmq.pid"),
		// The node binds its distribution port to the loopback interface only.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		// Makes the start script become the Erlang VM, so that signals reach it and not a shell.
		"RUNNING_UNDER_SYSTEMD=true",
	}
}

// Start starts the node and returns when it takes connections, or when ctx ends. It takes 5 to 20 seconds.
func (r *RabbitMQ) Start(ctx context.Context) error {
	// The VM would start a port mapper that outlives it: this one belongs to us.
	if !r.epmd.running() {
		if err := r.epmd.start(); err != nil {
			return err
		}
		if err := r.epmd.waitReady(ctx, 20*time.Millisecond, dialable(r.epmdPort)); err != nil {
			return err
		}
	}
	if err := r.node.start(); err != nil {
		return err
	}
	return r.node.waitReady(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		if err := r.API.ready(ctx, r.amqp); err != nil {
			return err
		}
		return dialable(r.amqp)(ctx)
	})
}

// Stop ends the node in order and returns when it has ended.
func (r *RabbitMQ) Stop() error { return r.node.stop() }

// Kill ends the node with SIGKILL, as a crash would, and returns when it has ended.
func (r *RabbitMQ) Kill() error { return r.node.kill() }

// Pause freezes the node: connections stay open, and nothing answers.
func (r *RabbitMQ) Pause() error { return r.node.pause() }

// Resume ends a Pause.
func (r *RabbitMQ) Resume() error { return r.node.resume() }

// Running reports whether the node's process lives.
func (r *RabbitMQ) Running() bool { return r.node.running() }

// Close stops the node for good, frees its ports and removes its directory. It may be called more than once.
func (r *RabbitMQ) Close() error {
	// Nothing that it holds is of use any more: killing is faster than stopping in order.
	return errors.Join(r.node.kill(), r.epmd.kill(), r.ports.Release(), os.RemoveAll(r.dir))
}

// Addr is the host and port for AMQP without TLS.
func (r *RabbitMQ) Addr() string { return Address(r.amqp) }

// TLSAddr is the host and port for AMQP over TLS; nothing listens there unless the node was made with TLS.
func (r *RabbitMQ) TLSAddr() string { return Address(r.amqps) }

// Log is the file with the node's log.
func (r *RabbitMQ) Log() string { return r.node.log }

// Ctl runs rabbitmqctl on the node and returns what it printed. It takes about a second: use the API where it can do
// the same.
func (r *RabbitMQ) Ctl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, r.ctl, append([]string{"--quiet"}, args...)...)
	cmd.Env, cmd.Dir = r.env, r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("rabbitmqctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// SetMemoryAlarm raises or ends a memory alarm: while it lasts, the node reads nothing from connections that publish.
func (r *RabbitMQ) SetMemoryAlarm(ctx context.Context, on bool) error {
	limit := "1GiB"
	if on {
		limit = "1"
	}
	_, err := r.Ctl(ctx, "set_vm_memory_high_watermark", "absolute", limit)
	return err
}
