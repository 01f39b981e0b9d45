package main

import (
	"context"
	"os"
)

func main() {
	limitMemory(os.DirFS("/sys/fs/cgroup"))
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
