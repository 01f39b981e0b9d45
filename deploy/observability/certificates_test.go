package observability

import (
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/kube/typed"
)

// TestCertificatesAreAsTheRulesSuppose: by issuer, by time that they are for, and by
// being renewed long before somebody is told that they are not.
func TestCertificatesAreAsTheRulesSuppose(t *testing.T) {
	objects, err := kube.Render(deploy.Tree(), "overlays/mosquitto")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, o := range objects {
		if o.Kind != "Certificate" {
			continue
		}
		value, err := typed.Decode(o)
		if err != nil {
			t.Fatal(err)
		}
		c := value.(*typed.Certificate)
		found++
		issuer, duration := "datafeed", 8760*time.Hour
		if c.Spec.IsCA {
			issuer, duration = "datafeed-root", 87600*time.Hour
		}
		if c.Spec.IssuerRef.Name != issuer || c.Spec.Duration.Duration != duration || c.Spec.RenewBefore.Duration < 90*24*time.Hour {
			t.Errorf("%s is by %s, for %v, renewed %v before its end", c.Name, c.Spec.IssuerRef.Name, c.Spec.Duration.Duration, c.Spec.RenewBefore.Duration)
		}
	}
	if found != 4 {
		t.Errorf("there are %d certificates", found)
	}
}
