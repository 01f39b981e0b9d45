package apitest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

const modules = "servers" // the module that requires the servers

// programs builds what is not there yet: the name of each has the version in it.
func programs(t *testing.T) server.KubernetesConfig {
	t.Helper()
	return server.KubernetesConfig{
		Etcd:      program(t, "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
		APIServer: program(t, "kube-apiserver", "k8s.io/kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
	}
}

func program(t *testing.T, name, module, pkg string) string {
	t.Helper()
	version := strings.TrimSpace(run(t, modules, "go", "list", "-m", "-f", "{{.Version}}", module))
	path, err := filepath.Abs(filepath.Join("../../.cache/bin", name+"-"+version))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	// Not t.Log, which is silent until the test has ended.
	fmt.Fprintf(os.Stderr, "building %s %s: up to a quarter of an hour\n", name, version)
	// Kubernetes' own scripts put the version into it in the same way; etcd has no such variable, and is built alike.
	unfinished := fmt.Sprintf("%s.%d", path, os.Getpid())
	run(t, modules, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion="+version, "-o", unfinished, pkg)
	if err := os.Rename(unfinished, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a command to its end, and returns what it wrote.
func run(t *testing.T, dir string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, stderr.String())
	}
	return string(stdout)
}
