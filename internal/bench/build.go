package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// programs are the paths of what is measured.
type programs struct {
	feed, loop, plugin string
}

const feedSource = "./cmd/feed"

// releaseFlags are those of "make build".
var releaseFlags = []string{"-trimpath"}

// pluginFolder is the folder of plugins beside the programs.
const pluginFolder = "plugins"

// build builds all programs as "make build" does.
func build(ctx context.Context, root, dir string) (programs, error) {
	p := programs{feed: filepath.Join(dir, "feed"), loop: filepath.Join(dir, "plainloop"), plugin: filepath.Join(dir, pluginFolder, "bridgeplugin")}
	for program, source := range map[string]string{p.feed: feedSource, p.loop: "./internal/bench/plainloop", p.plugin: "./internal/bench/bridgeplugin"} {
		if err := goBuild(ctx, root, program, source); err != nil {
			return programs{}, err
		}
	}
	return p, pin(p.plugin)
}

// pin writes down the checksum of a plugin, as sha256sum does.
func pin(plugin string) error {
	data, err := os.ReadFile(plugin)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("%x  %s\n", sha256.Sum256(data), filepath.Base(plugin))
	return os.WriteFile(filepath.Join(filepath.Dir(plugin), "SHA256SUMS"), []byte(line), 0o600)
}

// goBuild builds one program; flags come on top of those of a release.
func goBuild(ctx context.Context, root, program, source string, flags ...string) error {
	args := slices.Concat([]string{"build"}, releaseFlags, flags, []string{"-o", program, source})
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", source, err, out)
	}
	return nil
}

// moduleRoot returns the folder of the module that the working directory is in.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if filepath.Base(file) != "go.mod" {
		return "", errors.New("run it within the repository: there is no go.mod here")
	}
	return filepath.Dir(file), nil
}
