package policy

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// byConvention are files and directories that an image reads without being told.
var byConvention = []string{
	"/etc/rabbitmq/rabbitmq.conf",
	"/etc/rabbitmq/enabled_plugins",
	"/etc/rabbitmq/conf.d",
	"/docker-entrypoint-initdb.d",
}

// knownVariables are those that an image, or the Go runtime, reads without being told.
var knownVariables = []string{
	"AZURITE_ACCOUNTS", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE", "PGDATA", "NO_TS_TUNE",
	"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_DIR",
}

// MountedIsUsed wants each key that is mounted, and each variable, to be used by the process that gets it, and each ConfigMap
// and Secret of the site to be mounted.
func MountedIsUsed(s *site.Site) []string {
	var found breaches
	mounted := map[string]bool{}
	for _, w := range site.Sorted(s.Workloads) {
		for _, c := range w.Containers() {
			files := s.Files(w, &c)
			used := map[string]bool{}
			for _, file := range files {
				mounted[file.From] = true
				used[file.From+", "+file.Key] = used[file.From+", "+file.Key] || namedBy(s, &c, files, &file)
			}
			for key, is := range used {
				found.check(is, "%s/%s: %s is mounted, and nothing reads it", w.Name, c.Name, key)
			}
			for _, v := range s.Environment(&c) {
				mounted[v.From] = true
				found.check(v.From == "" || v.Here || strings.HasPrefix(v.From, "Secret"), "%s/%s: %s has no key %s", w.Name, c.Name, v.From, v.Key)
				found.check(slices.Contains(knownVariables, v.Name) || variableIsUsed(&c, files, v.Name), "%s/%s: nothing reads the variable %s", w.Name, c.Name, v.Name)
			}
		}
	}
	for name, object := range s.ConfigMaps {
		// Grafana finds its dashboards by a label.
		found.check(mounted["ConfigMap "+name] || object.Labels["grafana_dashboard"] == "1", "configmap %s: nobody mounts it", name)
	}
	for name := range s.Secrets {
		found.check(mounted["Secret "+name], "secret %s: nobody mounts it", name)
	}
	slices.Sort(found)
	return found
}

// namedBy reports whether a container's arguments, variables or other files name a file, or the directory it stands in.
func namedBy(s *site.Site, c *corev1.Container, files []site.File, file *site.File) bool {
	if slices.Contains(byConvention, file.Path) || slices.Contains(byConvention, path.Dir(file.Path)) {
		return true
	}
	var texts []string
	texts = append(texts, c.Command...)
	texts = append(texts, c.Args...)
	for _, v := range s.Environment(c) {
		texts = append(texts, v.Value)
	}
	for _, other := range files {
		if other.Path != file.Path {
			texts = append(texts, uncommented(other.Content))
		}
	}
	for _, text := range texts {
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'`{}:=,", r) }) {
			if word == file.Path || word == path.Dir(file.Path) {
				return true
			}
		}
	}
	return false
}

// uncommented returns a text without the lines that begin as comments do.
func uncommented(content []byte) string {
	var kept strings.Builder
	for line := range strings.Lines(string(content)) {
		if first := strings.TrimSpace(line); !strings.HasPrefix(first, "#") && !strings.HasPrefix(first, "--") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func variableIsUsed(c *corev1.Container, files []site.File, name string) bool {
	for _, text := range c.Args {
		if strings.Contains(text, "${"+name+"}") {
			return true
		}
	}
	for _, file := range files {
		text := uncommented(file.Content)
		if strings.Contains(text, "${"+name+"}") || strings.Contains(text, "${"+name+":-") {
			return true
		}
	}
	return false
}
