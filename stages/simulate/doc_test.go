package simulate_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages/log"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

// TestDocumentedConfiguration loads the configuration in the package comment:
// what it shows are the defaults, but for chaos.
func TestDocumentedConfiguration(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?m)^//\t(simulate:\n(?://\t.*\n)+)`).FindSubmatch(source)
	if block == nil {
		t.Fatal("doc.go shows no configuration")
	}
	shown := strings.ReplaceAll(string(block[1]), "//\t", "        ")
	registry, err := feed.NewRegistry(append(simulate.Factories(), log.Factories()...)...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("feed.yaml", []byte("name: x\nroutes:\n  r:\n    source:\n      "+shown+"    sink: {log: {}}\n    allowLoss: true\n"), registry, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	want := simulate.DefaultConfig()
	want.Chaos = simulate.Chaos{
		Corrupt: 0.01, Duplicate: 0.02, Reorder: 0.02, Garbage: 0.005, Conflict: 0.001, Within: 3, Skew: 30 * time.Second, Drift: 0.0001,
	}
	if got := c.Routes[0].Source.Config; !reflect.DeepEqual(got, &want) {
		t.Errorf("it says %+v, want %+v", got, &want)
	}
}
