package apitest

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/kraft-edge/datafeed/internal/kube"
)

// testRights asks what the accounts of the objects may do: what an account may do that nobody has given any right, and no
// more.
func testRights(t *testing.T, c *cluster, objects []kube.Object) {
	t.Helper()
	n := 0
	stranger := c.rights(t, "default", "nobody")
	for _, o := range objects {
		if o.Kind != "ServiceAccount" {
			continue
		}
		n++
		for _, right := range c.rights(t, o.Namespace, o.Name) {
			if !slices.Contains(stranger, right) {
				t.Errorf("%s has a right that it does not need: %s", o.ID(), right)
			}
		}
	}
	if n < 7 {
		t.Errorf("%d accounts were asked for", n)
	}
}

// rights are what an account may do in the feed's namespace, one a line.
func (c *cluster) rights(t *testing.T, accountNamespace, account string) []string {
	t.Helper()
	review := c.create(t, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": map[string]any{"namespace": namespace},
	}, http.Header{
		"Impersonate-User":  {"system:serviceaccount:" + accountNamespace + ":" + account},
		"Impersonate-Group": {"system:authenticated", "system:serviceaccounts", "system:serviceaccounts:" + accountNamespace},
	})
	if refusal := review.refusal(); refusal != "" || at(review.body, "status", "incomplete") != false {
		t.Fatalf("the rights of %s are not known: %s %v", account, refusal, review.body)
	}
	var all []string
	for _, rules := range []string{"resourceRules", "nonResourceRules"} {
		for _, rule := range list(at(review.body, "status", rules)) {
			text, err := json.Marshal(rule)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(text))
		}
	}
	if len(all) == 0 {
		t.Fatalf("the API server tells of no rights of %s", account)
	}
	return all
}
