package typed

import (
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/internal/kube"
	corev1 "k8s.io/api/core/v1"
)

func decode(t *testing.T, document string) (any, error) {
	t.Helper()
	all, err := kube.Parse([]byte(document))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return Decode(all[0])
}

func TestDecode(t *testing.T) {
	value, err := decode(t, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: feed}\nautomountServiceAccountToken: false\n")
	if err != nil {
		t.Fatal(err)
	}
	account, ok := value.(*corev1.ServiceAccount)
	if !ok || account.Name != "feed" || account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
		t.Fatalf("%#v", value)
	}
}

func TestDecodeIsStrict(t *testing.T) {
	for name, test := range map[string]struct{ document, want string }{
		"an unknown field": {"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: feed}\nautomountServiceAcountToken: false\n", "automountServiceAcountToken"},
		"a field inside":   {"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: feed, lables: {}}\n", "lables"},
		"another type":     {"apiVersion: v1\nkind: Service\nmetadata: {name: feed}\nspec: {ports: [{port: http}]}\n", "port"},
		"a type not known": {"apiVersion: v2\nkind: ServiceAccount\nmetadata: {name: feed}\n", "no type is known"},
	} {
		t.Run(name, func(t *testing.T) {
			if value, err := decode(t, test.document); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %#v and the error %v, wants one with %q", value, err, test.want)
			}
		})
	}
}
