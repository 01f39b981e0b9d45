package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// machine is what figures depend on besides the programs.
type machine struct {
	when     time.Time
	cpu      string
	cores    int
	memory   string
	system   string
	versions []string
}

// describe looks at the machine. What cannot be found out is left out.
func describe(ctx context.Context, s *stand) machine {
	m := machine{when: time.Now().UTC(), cpu: cpuModel(readText("/proc/cpuinfo")), cores: runtime.NumCPU(), system: system()}
	if kb, ok := parseField(readText("/proc/meminfo"), "MemTotal:"); ok {
		m.memory = fmt.Sprintf("%.1f GiB", float64(kb)/(1<<20))
	}
	m.versions = append(m.versions, "Go "+strings.TrimPrefix(runtime.Version(), "go"))
	if v, err := s.servers.version(ctx); err == nil {
		m.versions = append(m.versions, "RabbitMQ "+v)
	}
	if v := mosquittoVersion(ctx); v != "" {
		m.versions = append(m.versions, "Mosquitto "+v)
	}
	if v, err := (&databaseDestination{server: s.servers.postgresql}).version(ctx); err == nil {
		m.versions = append(m.versions, "PostgreSQL "+v)
	}
	m.versions = append(m.versions, modules()...)
	return m
}

func readText(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

// cpuModel reads /proc/cpuinfo.
func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func system() string {
	name := runtime.GOOS
	for line := range strings.Lines(readText("/etc/os-release")) {
		if value, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			name = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	if release := strings.TrimSpace(readText("/proc/sys/kernel/osrelease")); release != "" {
		name += ", kernel " + release
	}
	return name
}

var versionText = regexp.MustCompile(`mosquitto version (\S+)`)

func mosquittoVersion(ctx context.Context) string {
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto"
	}
	// With -h it prints its version and help, and ends with an exit code of its own.
	out, _ := exec.CommandContext(ctx, program, "-h").CombinedOutput() //nolint:errcheck // no version, then
	if found := versionText.FindSubmatch(out); found != nil {
		return string(found[1])
	}
	return ""
}

// modules returns the versions of the client libraries.
func modules() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var versions []string
	for _, m := range info.Deps {
		switch m.Path {
		case "github.com/rabbitmq/amqp091-go", "github.com/eclipse/paho.golang", "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob", "github.com/jackc/pgx/v5":
			name := strings.TrimSuffix(m.Path, "/v5")
			versions = append(versions, name[strings.LastIndexByte(name, '/')+1:]+" "+strings.TrimPrefix(m.Version, "v"))
		}
	}
	return versions
}
