package policy

import (
	"errors"
	"fmt"
	"os"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/kube/site"
	"github.com/kraft-edge/datafeed/stages"
)

// FeedFiles wants each file of a feed to pass what feed lint checks, without a warning, with the variables and the secrets
// that its container has. A variable that is not set is not there.
func FeedFiles(s *site.Site) []string {
	var found breaches
	for _, w := range site.Sorted(s.Workloads) {
		for _, c := range w.Pod.Spec.Containers {
			if len(c.Args) > 1 && (c.Args[0] == "run" || c.Args[0] == "validate") {
				err := feedFile(s, w, &c, lint)
				found.check(err == nil, "%s: %v", w.Name, err)
			} else {
				found.check(w.Pod.Labels["app.kubernetes.io/component"] == "", "%s: it is a feed, and runs no file", w.Name)
			}
		}
	}
	return found
}

func lint(file *config.Config) error {
	if len(file.Warnings) > 0 {
		return fmt.Errorf("%v", file.Warnings[0])
	}
	return file.CheckStages()
}

// feedFile has a feed's file looked at, while the files are there that it names.
func feedFile(s *site.Site, w *site.Workload, c *corev1.Container, look func(*config.Config) error) (err error) {
	dir, err := os.MkdirTemp("", "feedfiles")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	box, err := s.NewSandbox(dir, w, c)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(box.Path(c.Args[1]))
	if err != nil {
		return err
	}
	registry, err := feed.NewRegistry(stages.All()...)
	if err != nil {
		return err
	}
	variables := s.Environment(c)
	file, err := config.Parse(c.Args[1], data, registry, func(name string) (string, bool) {
		i := slices.IndexFunc(variables, func(v site.Variable) bool { return v.Name == name })
		if i < 0 {
			return "", false
		}
		return box.Moved(variables[i].Value), true
	})
	if err != nil {
		return err
	}
	return look(file)
}
