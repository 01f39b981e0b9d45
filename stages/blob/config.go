package blob

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Compression is how an object is compressed.
type Compression string

// The compressions.
const (
	Plain Compression = "plain"
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
)

// Values returns all compressions.
func (Compression) Values() []string { return []string{string(Plain), string(Gzip), string(Zstd)} }

// Format is what an object is.
type Format string

// The formats.
const (
	// FormatNDJSON writes a line for each message.
	FormatNDJSON Format = "ndjson"
	// FormatParquet writes a row for each message, with columns for the members
	// of a reading.
	FormatParquet Format = "parquet"
)

// Values returns all formats.
func (Format) Values() []string { return []string{string(FormatNDJSON), string(FormatParquet)} }

// Envelope is what a line holds.
type Envelope string

// The envelopes.
const (
	// EnvelopeNone writes the payload, which must be JSON.
	EnvelopeNone Envelope = "none"
	// EnvelopeFull writes an object with topic, time, id, metadata and
	// payload.
	EnvelopeFull Envelope = "full"
)

// Values returns all envelopes.
func (Envelope) Values() []string { return []string{string(EnvelopeNone), string(EnvelopeFull)} }

// Identity is how a token for Azure is obtained.
type Identity string

// The identities.
const (
	// IdentityDefault tries environment, workload identity, managed identity
	// and developer tools in turn.
	IdentityDefault Identity = "default"
	// IdentityWorkload uses the projected service-account token of a
	// Kubernetes pod.
	IdentityWorkload Identity = "workload"
	// IdentityManaged uses the managed identity of the machine.
	IdentityManaged Identity = "managed"
)

// Values returns all identities.
func (Identity) Values() []string {
	return []string{string(IdentityDefault), string(IdentityWorkload), string(IdentityManaged)}
}

// TLS says whom to trust.
type TLS struct {
	CAFile string `yaml:"caFile" doc:"PEM file with certificate authorities to trust besides those of the system, such as a proxy's."`
}

// Azure says how to reach Azure Blob Storage beyond its URL.
type Azure struct {
	CreateContainer bool `yaml:"createContainer" doc:"Create the container when it does not exist."`
	AzureIdentity   `yaml:",inline"`
}

// AzureIdentity says who asks, where the URL holds no SAS.
type AzureIdentity struct {
	Identity                 Identity `yaml:"identity" doc:"How to obtain a token when url holds no SAS: default, workload (Kubernetes workload identity) or managed."`
	ClientID                 string   `yaml:"clientId" doc:"Client ID of the workload or user-assigned managed identity; empty takes the one in the environment."`
	TenantID                 string   `yaml:"tenantId" doc:"Tenant of the workload identity; empty takes the one in the environment."`
	DisableInstanceDiscovery bool     `yaml:"disableInstanceDiscovery" doc:"Do not ask login.microsoft.com about the authority: for disconnected and private clouds."`
}

// Config configures a blob sink.
type Config struct {
	URL              feed.URL      `yaml:"url" doc:"Where to write: file:///directory, or https://ACCOUNT.blob.core.windows.net/CONTAINER, with a SAS as its query or without one to use an identity."`
	ConnectionString feed.Secret   `yaml:"connectionString" doc:"Connection string of an Azure storage account, instead of url."`
	Container        string        `yaml:"container" doc:"Container; with url, empty takes it from the URL's path."`
	Path             string        `yaml:"path" doc:"Template of object names, without extension; parts are {date} {year} {month} {day} {hour} {minute} {route} {feed} {topic} {meta.NAME} {hash}; hive stands for date={date}/hour={hour}/{route}-{hash}, with exactlyOnce for date={date}/hour={hour}."`
	ExactlyOnce      bool          `yaml:"exactlyOnce" doc:"Write each offset of a stream to exactly one object: path then makes the directories of objects, without {hash}, and a checkpoint below .checkpoint keeps how far the route has come."`
	Format           Format        `yaml:"format" doc:"What an object is: ndjson has a line for each message, parquet a row with columns for the members of a reading."`
	Compression      Compression   `yaml:"compression" doc:"How objects are compressed, or the columns of Parquet: plain, gzip or zstd."`
	Envelope         Envelope      `yaml:"envelope" doc:"What a line of NDJSON holds: none is the payload, which must be JSON; full is an object with topic, time, id, metadata and payload."`
	MaxObjectBytes   feed.Size     `yaml:"maxObjectBytes" doc:"Bytes before compression after which a further object is begun."`
	BlockBytes       feed.Size     `yaml:"blockBytes" doc:"Largest piece of an object in one request; larger objects go up in blocks of this size."`
	Parallel         int           `yaml:"parallel" doc:"Most objects, and most blocks of one object, that are written at a time."`
	TryTimeout       time.Duration `yaml:"tryTimeout" doc:"Longest time of one request; it must be enough to send blockBytes."`
	TLS              TLS           `yaml:"tls" doc:"Whom to trust."`
	Azure            Azure         `yaml:"azure" doc:"Container and identity."`
}

// HivePartitions are partitions by day and hour as Hive, Spark and DuckDB read
// them. HivePath is what the path "hive" stands for; with exactlyOnce it is the
// partitions alone.
const (
	HivePartitions = "date={date}/hour={hour}"
	HivePath       = HivePartitions + "/{route}-{hash}"
)

// DefaultConfig returns the defaults. They lack the place to write to.
func DefaultConfig() Config {
	return Config{
		Path:           "{date}/{hour}/{route}-{hash}",
		Format:         FormatNDJSON,
		Compression:    Gzip,
		Envelope:       EnvelopeNone,
		MaxObjectBytes: 64 * feed.MiB,
		BlockBytes:     8 * feed.MiB,
		Parallel:       4,
		TryTimeout:     30 * time.Second,
		Azure:          Azure{AzureIdentity: AzureIdentity{Identity: IdentityDefault}},
	}
}

// maxBlocks is how many blocks a blob can have.
const maxBlocks = 50000

// Validate reports all that is wrong. It does no I/O and reads no secret file.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, problem, remedy string) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy})
	}
	errs = append(errs, c.validatePlace()...)
	if t, err := c.template(); err != nil {
		such := DefaultConfig().Path
		if c.ExactlyOnce {
			such = "{meta.device}/{date}/{hour}"
		}
		bad("path", err.Error(), "such as "+such)
	} else if ext := t.literalExtension(); ext != "" {
		bad("path", "ends with "+ext, "leave it out: the extension is appended")
	}
	oneOf(bad, "format", c.Format)
	if c.Format == FormatParquet && c.Envelope == EnvelopeFull {
		bad("envelope", "is of NDJSON, and the format is parquet", "remove it")
	}
	oneOf(bad, "compression", c.Compression)
	oneOf(bad, "envelope", c.Envelope)
	if c.MaxObjectBytes < feed.KiB || c.MaxObjectBytes > feed.GiB {
		bad("maxObjectBytes", fmt.Sprintf("%s is not between 1KiB and 1GiB", c.MaxObjectBytes), "such as 64MiB")
	}
	if c.BlockBytes < 64*feed.KiB || c.BlockBytes > 256*feed.MiB {
		bad("blockBytes", fmt.Sprintf("%s is not between 64KiB and 256MiB", c.BlockBytes), "such as 8MiB")
	}
	if c.Parallel < 1 || c.Parallel > 64 {
		bad("parallel", fmt.Sprintf("%d is not between 1 and 64", c.Parallel), "such as 4")
	}
	return errors.Join(errs...)
}

// validatePlace reports what is wrong with where the objects are, and how to get
// there.
func (c *Config) validatePlace() (errs []error) {
	bad := func(key, problem, remedy string) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy})
	}
	switch {
	case c.URL.IsZero() && c.ConnectionString.IsZero():
		bad("url", "is missing", "write file:///directory or https://ACCOUNT.blob.core.windows.net/CONTAINER, or give connectionString")
	case !c.URL.IsZero() && !c.ConnectionString.IsZero():
		bad("connectionString", "is given together with url", "give one of them")
	case !c.ConnectionString.IsZero() && c.Container == "":
		bad("container", "is missing", "name the container")
	}
	if u, err := url.Parse(c.URL.String()); err == nil && u.Scheme != "" {
		// The URL comes from no file: to look into it is no I/O.
		if _, err := c.place(); err != nil {
			errs = append(errs, err)
		}
	}
	if c.Container != "" && !validContainer(c.Container) {
		bad("container", fmt.Sprintf("%q is no name of a container", c.Container), "3 to 63 lower-case letters, digits and single dashes, such as telemetry")
	}
	oneOf(bad, "azure.identity", c.Azure.Identity)
	if c.TryTimeout < 100*time.Millisecond || c.TryTimeout > 15*time.Minute {
		bad("tryTimeout", fmt.Sprintf("%s is not between 100ms and 15m", c.TryTimeout), "such as 30s")
	}
	return errs
}

func oneOf[E interface {
	~string
	Values() []string
}](bad func(key, problem, remedy string), key string, v E) {
	for _, ok := range v.Values() {
		if string(v) == ok {
			return
		}
	}
	bad(key, fmt.Sprintf("%q is unknown", string(v)), "one of "+strings.Join(v.Values(), ", "))
}

// template parses the path.
func (c *Config) template() (*template, error) {
	path := c.Path
	switch {
	case path != "hive":
	case c.ExactlyOnce:
		path = HivePartitions
	default:
		path = HivePath
	}
	if c.ExactlyOnce {
		return parseRangeTemplate(path)
	}
	return parseTemplate(path)
}

// Checkpoints reports whether the sink keeps a checkpoint.
func (c *Config) Checkpoints() bool { return c.ExactlyOnce }

// Durable is true: an object that was written survives a crash.
func (c *Config) Durable() bool { return true }

// Reads is empty: a sink reads nothing.
func (c *Config) Reads() []string { return nil }

var (
	_ feed.DurableConfig    = (*Config)(nil)
	_ feed.EndpointConfig   = (*Config)(nil)
	_ feed.CheckpointConfig = (*Config)(nil)
)

// Writes names the container or the directory, without any credential.
func (c *Config) Writes() []string {
	if place, err := c.place(); err == nil {
		return []string{place.String()}
	}
	return nil
}

// place is where a configuration points to.
type place struct {
	dir       string   // of a directory
	account   *url.URL // of Azure: the account, with the SAS if there is one
	container string
}

// String returns the place without credentials.
func (p place) String() string {
	if p.dir != "" {
		return "file://" + filepath.ToSlash(p.dir)
	}
	u := url.URL{Scheme: p.account.Scheme, Host: p.account.Host, Path: p.account.Path}
	return u.JoinPath(p.container).String()
}

// place reads the URL or the connection string. Its errors quote neither.
func (c *Config) place() (place, error) {
	bad := func(key, problem, remedy string) (place, error) {
		return place{}, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy}
	}
	if !c.ConnectionString.IsZero() {
		text, err := c.ConnectionString.Reveal()
		if err != nil {
			return bad("connectionString", err.Error(), "")
		}
		u, err := connectionEndpoint(text)
		if err != nil {
			return bad("connectionString", err.Error(), "copy it from the storage account's access keys")
		}
		return place{account: u, container: c.Container}, nil
	}
	u, err := c.URL.Parse()
	if err != nil {
		return bad("url", err.Error(), "")
	}
	switch {
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && filepath.IsAbs(u.Path):
		return place{dir: filepath.Clean(u.Path)}, nil
	case u.Scheme == "file":
		return bad("url", "names no absolute directory", "write file:///var/lib/feed/out, with three slashes")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return bad("url", "is neither a file nor an https URL", "write file:///directory or https://ACCOUNT.blob.core.windows.net/CONTAINER")
	case u.User != nil:
		return bad("url", "holds a user", "Azure takes a SAS as query, a connection string or an identity")
	}
	p := place{account: u, container: c.Container}
	if p.container == "" {
		path := strings.TrimSuffix(u.Path, "/")
		i := strings.LastIndexByte(path, '/')
		if i < 0 || !validContainer(path[i+1:]) {
			return bad("container", "is missing, and the URL's path does not end with one", "name the container")
		}
		p.container = path[i+1:]
		u.Path, u.RawPath = path[:i], ""
	}
	return p, nil
}

// connectionEndpoint returns the blob endpoint that a connection string names.
func connectionEndpoint(text string) (*url.URL, error) {
	fields := map[string]string{}
	for _, f := range strings.Split(text, ";") {
		if k, v, ok := strings.Cut(strings.TrimSpace(f), "="); ok {
			fields[strings.ToLower(k)] = v
		}
	}
	endpoint := fields["blobendpoint"]
	if endpoint == "" && fields["accountname"] != "" {
		suffix := fields["endpointsuffix"]
		if suffix == "" {
			suffix = "core.windows.net"
		}
		scheme := fields["defaultendpointsprotocol"]
		if scheme == "" {
			scheme = "https"
		}
		endpoint = scheme + "://" + fields["accountname"] + ".blob." + suffix
	}
	u, err := url.Parse(endpoint)
	if endpoint == "" || err != nil || u.Host == "" {
		return nil, errors.New("has neither a blob endpoint nor an account name")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/")}, nil
}

// validContainer applies Azure's rule for names of containers.
func validContainer(name string) bool {
	if len(name) < 3 || len(name) > 63 || strings.Contains(name, "--") ||
		strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") {
		return name == "$root" || name == "$web"
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c != '-' && !('a' <= c && c <= 'z') && !('0' <= c && c <= '9') {
			return name == "$root" || name == "$web"
		}
	}
	return true
}
