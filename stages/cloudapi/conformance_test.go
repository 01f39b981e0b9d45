package cloudapi

import (
	"net/url"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

func TestConformance(t *testing.T) {
	for name, parallel := range map[string]int{"Alone": 1, "Parallel": 4} {
		t.Run(name, func(t *testing.T) {
			validatetest.TestSide(t, func(t *testing.T) validatetest.SideUnderTest {
				a := startAPI(t, nil)
				u, err := url.Parse(a.URL())
				if err != nil {
					t.Fatal(err)
				}
				proxy := testenv.Proxy(t, u.Host)
				c := configOf("http://" + proxy.Addr)
				c.PageSize, c.Parallel, c.Patience = 500, parallel, 300*time.Millisecond
				other := func(change func(*Config)) *Expectation {
					c := c
					change(&c)
					return openExpectation(t, c)
				}
				return validatetest.SideUnderTest{
					Side: openExpectation(t, c),
					Others: []validate.Side{
						other(func(c *Config) { c.URL = feed.NewURL("http://" + proxy.Addr + "/plant") }),
						other(func(c *Config) { c.OAuth2.ClientID = "another" }),
						other(func(c *Config) { c.OAuth2.Scopes = []string{"another"} }),
					},
					Put: a.put,
					PutTwice: func(t testing.TB, r reading.Reading) {
						a.put(t, r)
						a.faults(t, cloudapi.Faults{OneIn: 1, Duplicate: 1})
					},
					Down:   func(testing.TB) { proxy.Refuse(); proxy.Cut() },
					Up:     func(testing.TB) { proxy.Accept() },
					Secret: secret,
				}
			})
		})
	}
}
