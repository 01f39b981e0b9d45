package policy

import (
	"bytes"
	"maps"
	"regexp"
	"slices"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// secretLike are the looks of secrets that nobody needs to know to see that they are some.
var secretLike = []*regexp.Regexp{
	regexp.MustCompile(`AccountKey=|SharedAccessSignature|[?&]sig=`),
	regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`),
	regexp.MustCompile(`://[^/\s:@"'$]+:[^/\s@"'$]+@`),
	regexp.MustCompile(`password_hash|:\$[67]\$`),
	regexp.MustCompile(`(?i)(?:\b|_)(pass(word)?|secret|token|clientSecret|connectionString)["']?(:|\s*=)\s*["']?[^\s"'$\\{:]`),
}

// SecretsStaySecret wants no value of a Secret, and nothing that looks like one, in a ConfigMap, a variable or an argument.
func SecretsStaySecret(s *site.Site) []string {
	var found breaches
	public := map[string][]byte{}
	for _, object := range s.ConfigMaps {
		found.check(len(object.BinaryData) == 0, "configmap %s: it has binary data", object.Name)
		for key, text := range object.Data {
			public["configmap "+object.Name+", "+key] = []byte(text)
		}
	}
	for _, w := range s.Workloads {
		for _, c := range w.Containers() {
			for _, env := range c.Env {
				public[w.Name+"/"+c.Name+", variable "+env.Name] = []byte(env.Name + "=" + env.Value)
			}
			for _, argument := range slices.Concat(c.Command, c.Args) {
				public[w.Name+"/"+c.Name+", argument "+argument] = []byte(argument)
			}
		}
	}
	for _, place := range slices.Sorted(maps.Keys(public)) {
		text := public[place]
		for _, looks := range secretLike {
			if at := looks.Find(text); at != nil {
				found.check(false, "%s: this looks like a secret: %s", place, at)
			}
		}
		for _, secret := range site.Sorted(s.Secrets) {
			for key, value := range secret.Data {
				found.check(!bytes.Contains(text, bytes.TrimSpace(value)), "%s: it holds the value of %s in the secret %s", place, key, secret.Name)
			}
		}
	}
	return found
}
