package policy

import (
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

var pinned = regexp.MustCompile(`^([a-z0-9]+\.azurecr\.io|mcr\.microsoft\.com)/[a-z0-9/._-]+@sha256:[0-9a-f]{64}$`)

// CustomerImages wants images of the customer's registry and of Microsoft's alone, by digest, and pods that may pull them.
func CustomerImages(s *site.Site) []string {
	var found breaches
	registries := map[string]bool{}
	for _, w := range site.Sorted(s.Workloads) {
		for _, c := range w.Containers() {
			found.check(pinned.MatchString(c.Image), "%s/%s: the image %s is not one of the customer's registry or Microsoft's, by digest", w.Name, c.Name, c.Image)
			if registry, _, _ := strings.Cut(c.Image, "/"); registry != "mcr.microsoft.com" {
				registries[registry] = true
			}
		}
		account := s.ServiceAccounts[w.Pod.Spec.ServiceAccountName]
		found.check(account != nil && len(account.ImagePullSecrets) == 1 && account.ImagePullSecrets[0].Name == "registry-credentials", "%s: its account may not pull from the registry", w.Name)
	}
	found.check(len(registries) == 1, "images come from %d registries", len(registries))
	return found
}

var tagged = regexp.MustCompile(`^(docker\.io|mcr\.microsoft\.com)/[a-z0-9/._-]+:[A-Za-z0-9._-]+$`)

// PublicImages wants images of Docker Hub and of Microsoft's registry, with tags that name a version.
func PublicImages(s *site.Site) []string {
	var found breaches
	for _, w := range site.Sorted(s.Workloads) {
		for _, c := range w.Containers() {
			found.check(tagged.MatchString(c.Image) && !strings.HasSuffix(c.Image, ":latest"), "%s/%s: the image %s is not one of Docker Hub or Microsoft's with the tag of a version", w.Name, c.Name, c.Image)
			found.check(c.ImagePullPolicy == "" || c.ImagePullPolicy == corev1.PullIfNotPresent, "%s/%s: it is pulled anew at each start", w.Name, c.Name)
		}
	}
	return found
}
