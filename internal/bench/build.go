package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs are the paths of what is measured.
type programs struct {
	feed, loop string
}

// build builds both programs the way the feed is released.
func build(ctx context.Context, root, dir string) (programs, error) {
	p := programs{feed: filepath.Join(dir, "feed"), loop: filepath.Join(dir, "plainloop")}
	for program, source := range map[string]string{p.feed: "./cmd/feed", p.loop: "./internal/bench/plainloop"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, source)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return programs{}, fmt.Errorf("build %s: %w\n%s", source, err, out)
		}
	}
	return p, nil
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
