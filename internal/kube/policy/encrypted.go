package policy

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
	"github.com/kraft-edge/datafeed/internal/kube/typed"
)

// Encrypted wants servers to take no connection without TLS, feeds to connect with it alone, and to know by which authority
// each server's certificate is signed, and certificates to bear the names that servers are called by.
func Encrypted(s *site.Site) []string {
	var found breaches
	for name, closed := range map[string]func(*site.Site, *site.Workload) string{
		"rabbitmq": rabbitMQCloses, "postgres": postgreSQLCloses, "mosquitto": mosquittoCloses,
	} {
		if w, there := s.Workloads[name]; there {
			open := closed(s, w)
			found.check(open == "", "%s: %s", name, open)
		}
	}
	for _, w := range site.Sorted(s.Workloads) {
		for _, c := range w.Pod.Spec.Containers {
			for _, address := range addresses(s, w, &c) {
				found.connection(s, w, &c, address)
			}
		}
	}
	for _, certificate := range site.Sorted(s.Certificates) {
		_, there := s.Issuers[certificate.Spec.IssuerRef.Name]
		found.check(there, "certificate %s: there is no issuer %s", certificate.Name, certificate.Spec.IssuerRef.Name)
		found.check(certificate.Spec.RenewBefore.Duration < certificate.Spec.Duration.Duration, "certificate %s: it is renewed all the time", certificate.Name)
	}
	slices.Sort(found)
	return found
}

func (b *breaches) connection(s *site.Site, w *site.Workload, c *corev1.Container, address *url.URL) {
	switch address.Scheme {
	case "postgres":
		b.check(address.Query().Get("sslmode") == "verify-full", "%s: it connects to PostgreSQL with sslmode=%s", w.Name, address.Query().Get("sslmode"))
	default:
		b.check(strings.HasSuffix(address.Scheme, "s"), "%s: it connects to %s without TLS", w.Name, address.Host)
	}
	server, here := s.Workloads[address.Hostname()]
	if !here {
		return
	}
	secret := secretOfKey(server)
	b.check(secret != "", "%s: it has no key", server.Name)
	b.check(slices.ContainsFunc(s.Files(w, c), func(f site.File) bool { return f.From == "Secret "+secret && f.Key == "ca.crt" }),
		"%s: it does not know who signs for %s", w.Name, server.Name)
	if len(s.Certificates) == 0 {
		return // something else makes the Secrets
	}
	i := slices.IndexFunc(site.Sorted(s.Certificates), func(c *typed.Certificate) bool { return c.Spec.SecretName == secret })
	if i < 0 {
		b.check(false, "%s: nobody makes the secret %s", server.Name, secret)
		return
	}
	certificate := site.Sorted(s.Certificates)[i]
	b.check(slices.Contains(certificate.Spec.DNSNames, address.Hostname()) && !certificate.Spec.IsCA, "%s: its certificate is not for %s", server.Name, address.Hostname())
}

// secretOfKey names the Secret with a server's own key.
func secretOfKey(w *site.Workload) string {
	for _, v := range w.Pod.Spec.Volumes {
		if v.Secret != nil && slices.ContainsFunc(v.Secret.Items, func(item corev1.KeyToPath) bool { return item.Key == "tls.key" }) {
			return v.Secret.SecretName
		}
	}
	return ""
}

var (
	variable = regexp.MustCompile(`\$\{(\w+)(?::-([^}]*))?\}`)
	located  = regexp.MustCompile(`\b(?:amqp|mqtt|postgres)s?://[^\s"']+`)
)

// addresses are those of brokers and databases in a feed's file, with the variables that its container has.
func addresses(s *site.Site, w *site.Workload, c *corev1.Container) []*url.URL {
	if len(c.Args) < 2 {
		return nil
	}
	file, err := content(s, w, c.Args[1])
	if err != nil {
		return nil // it runs no file
	}
	variables := s.Environment(c)
	text := variable.ReplaceAllStringFunc(uncommented([]byte(file)), func(reference string) string {
		parts := variable.FindStringSubmatch(reference)
		if i := slices.IndexFunc(variables, func(v site.Variable) bool { return v.Name == parts[1] }); i >= 0 {
			return variables[i].Value
		}
		return parts[2]
	})
	var all []*url.URL
	for _, found := range located.FindAllString(text, -1) {
		if address, err := url.Parse(found); err == nil {
			all = append(all, address)
		}
	}
	return all
}

func rabbitMQCloses(s *site.Site, w *site.Workload) string {
	conf, err := content(s, w, "/etc/rabbitmq/conf.d/10-tls.conf")
	switch {
	case err != nil:
		return err.Error()
	case !strings.Contains("\n"+conf, "\nlisteners.tcp = none\n"):
		return "it listens without TLS"
	}
	return ""
}

func postgreSQLCloses(s *site.Site, w *site.Workload) string {
	conf, err := content(s, w, "/etc/postgresql/tls.conf")
	if err != nil {
		return err.Error()
	}
	rules, err := content(s, w, "/etc/postgresql/pg_hba.conf")
	switch {
	case err != nil:
		return err.Error()
	case !strings.Contains(conf, "ssl = on\n") || !strings.Contains(conf, "hba_file = '/etc/postgresql/pg_hba.conf'\n"):
		return "it has no TLS, or its own rules of who may connect"
	case regexp.MustCompile(`(?m)^\s*(host|hostnossl|hostnogssenc)\s`).MatchString(rules):
		return "it takes connections without TLS"
	case regexp.MustCompile(`(?m)\b(trust|password)\s*$`).MatchString(rules):
		return "it takes connections without a password, or with one in clear text"
	}
	return ""
}

func mosquittoCloses(s *site.Site, w *site.Workload) string {
	conf, err := content(s, w, "/mosquitto/config/conf.d/listener.conf")
	switch {
	case err != nil:
		return err.Error()
	case strings.Count("\n"+conf, "\nlistener ") != strings.Count("\n"+conf, "\nkeyfile "):
		return "it listens without TLS"
	}
	return ""
}
