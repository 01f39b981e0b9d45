package policy

import (
	"fmt"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// content returns a file of a workload's main container.
func content(s *site.Site, w *site.Workload, path string) (string, error) {
	for _, file := range s.Files(w, &w.Pod.Spec.Containers[0]) {
		if file.Path == path {
			return string(file.Content), nil
		}
	}
	return "", fmt.Errorf("%s has no file %s", w.Name, path)
}
