package boottest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/postgres"
)

// readings is how many devices send: an hour and a half of five devices.
const readings = 4_000

// TestSite runs the overlay poc on real servers, from simulated devices to both proofs, with nothing but what it ships: first
// ingest alone, so that readings wait, and then the others. Once as it is, and once with TLS, as plants have it.
func TestSite(t *testing.T) {
	t.Run("poc", func(t *testing.T) {
		s := rendered(t, deploy.Tree(), "poc")
		testSite(t, startCluster(t, s, ""), (*container).start)
	})
	t.Run("encrypted", func(t *testing.T) {
		authority := testenv.CA(t)
		c := startCluster(t, encrypted(t, authority), authority.CAFile)
		takesNothingWithoutTLS(t, c)
		testSite(t, c, func(bridge *container, _ ...string) { startAmongStrangers(t, c, bridge) })
	})
}

// testSite runs the site's processes, of which the bridge is started as is said.
func testSite(t *testing.T, c *cluster, startBridge func(bridge *container, further ...string)) {
	t.Helper()
	settingsHold(t, c)
	cloud := c.newContainer(t, "cloud-api", nil)
	cloud.start()
	ingest := c.newContainer(t, "ingest", nil)
	bridge := c.newContainer(t, "bridge", nil)
	archive := c.newContainer(t, "archive", []string{"AZURE_STORAGE_CONNECTION_STRING=" + c.azurite.ConnectionString()}, "maxDelay: 1m", "maxDelay: 1s")
	validator := c.newContainer(t, "validator", nil, "http://cloud-api:8080", "http://127.0.0.1:"+cloud.port)
	ingest.start()
	ingest.ready(c.site)

	start := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Hour)
	simulator := c.newContainer(t, "simulator", []string{"SSL_CERT_FILE=" + c.ca},
		"amqp://simulator", c.scheme()+"://simulator", "http://cloud-api:8080", "http://127.0.0.1:"+cloud.port, "--rate=250", "--rate=0", "--for=24h", "--devices=5")
	simulator.start("--period", "1m", "--batch-every", "5m", "--codec", "mixed", "--count", fmt.Sprint(readings), "--start", start.Format(time.RFC3339))
	simulator.wait()
	all := fmt.Sprint(readings)
	testenv.Eventually(t, time.Minute, "PostgreSQL to have all readings", func() bool {
		return query(t, c.admin(), "SELECT count(*)::text FROM telemetry.readings")[0] == all
	})
	testenv.Eventually(t, time.Minute, "all readings to wait for the bridge", func() bool {
		n, unacked, err := queue(t, c.node, "telemetry-mqtt")
		return err == nil && n == readings && unacked == 0
	})

	arrived := witness.NewContents()
	subscriber, err := c.subscribe(t, arrived, c.ca != "")
	if err != nil {
		t.Fatal(err)
	}
	startBridge(bridge)
	archive.start()
	validator.start()
	// Bridge takes single readings, the others batches, of which they make some.
	for feed, scope := range map[*container]string{bridge: "delivery", archive: "produced", validator: "produced"} {
		feed.ready(c.site)
		testenv.Eventually(t, time.Minute, feed.name+" to have delivered everything", func() bool {
			return feed.metric("datafeed_messages_delivered_total", `scope="`+scope+`"`) >= readings && feed.metric("datafeed_messages_in_flight", "") == 0
		})
	}
	testenv.Eventually(t, time.Minute, "the subscriber to have everything", func() bool { return arrived.Distinct() >= readings })
	for _, feed := range []*container{ingest, bridge, archive, validator} {
		if imbalance := feed.metric("datafeed_account_imbalance", ""); imbalance != 0 {
			t.Errorf("%s: the account is out of balance by %v", feed.name, imbalance)
		}
		if n := feed.metric("datafeed_messages_quarantined_total", ""); n != 0 {
			t.Errorf("%s has quarantined %v messages", feed.name, n)
		}
		feed.stop()
	}
	if err := subscriber.Close(); err != nil {
		t.Fatal(err)
	}
	if d := witness.Differ(stored(t, c), arrived); !d.Equal() {
		t.Errorf("MQTT and PostgreSQL differ: %+v", d)
	}

	// The proof that ships with each overlay, and the one that a site may add.
	environment := []string{"CLOUD_URL=http://127.0.0.1:" + cloud.port, "CLOUD_PLAINTEXT=true"}
	proven(t, c.newContainer(t, "validate", append(environment, "AZURE_STORAGE_CONNECTION_STRING="+c.azurite.ConnectionString())), start)
	if c.ca != "" { // it is for plants, which have TLS
		proven(t, c.newContainer(t, "validate-postgres", environment), start)
	}
	keepsStrays(t, c)
	mayNot(t, c)
	cloud.stop()
}

// proven runs a validation of the first hour, and wants it to prove that every reading is there.
func proven(t *testing.T, c *container, start time.Time) {
	t.Helper()
	c.args = c.args[:2] // but --last, as these readings are of yesterday
	c.start("--from", start.Format(time.RFC3339), "--to", start.Add(time.Hour).Format(time.RFC3339), "--json")
	c.wait()
	_, document, _ := strings.Cut(c.log.tail(1<<20), "\n{")
	var r validate.Result
	if err := json.NewDecoder(strings.NewReader("{" + document)).Decode(&r); err != nil {
		t.Fatalf("%v in\n%s", err, c.log.tail(4000))
	}
	if r.Outcome != validate.Proven || r.Counts.Matched != r.Counts.Expected || r.Counts.Expected < readings/3 {
		t.Errorf("%s: %s, %+v, because %v", c.name, r.Outcome, r.Counts, r.Reasons)
	}
}

// stored returns what PostgreSQL has, read as the user that may read and nothing else.
func stored(t *testing.T, cluster *cluster) *witness.Contents {
	t.Helper()
	c := postgres.DefaultConfig()
	c.URL = feed.NewURL(cluster.database("validate", "example-validate"))
	r, err := postgres.OpenReader(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := witness.NewContents()
	for row, err := range r.Readings(t.Context(), postgres.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all.Add(row)
	}
	return all
}
