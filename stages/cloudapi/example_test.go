package cloudapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/stages/cloudapi"
)

// An expectation reads what the API of a vendor tells of a device.
func Example() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/oauth2/token":
			fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer","expires_in":300}`)
		case "/v1/watermark":
			fmt.Fprint(w, `{"watermark":"2026-11-21T04:00:00Z"}`)
		case "/v1/readings":
			fmt.Fprint(w, `{"readings":[{"device":"press7","tag":"temperature","ts":"2026-11-21T03:04:05Z","value":21.5,"quality":"good","seq":12}],"next":null}`)
		}
	}))
	defer api.Close()

	c := cloudapi.DefaultConfig()
	c.URL = feed.NewURL(api.URL)
	c.OAuth2.ClientID, c.OAuth2.ClientSecret = "validator", feed.NewSecret("secret")
	e, err := cloudapi.NewExpectation(c, feed.StageEnv{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()

	watermark, err := e.Watermark(context.Background())
	fmt.Println(watermark, err)
	from := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	err = e.Read(context.Background(), validate.Query{Device: "press7", From: from, To: from.Add(time.Hour)}, func(p validate.Page) error {
		for _, r := range p.Records {
			fmt.Printf("%s\n", r.AppendJSON(nil))
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// 2026-11-21 04:00:00 +0000 UTC <nil>
	// {"device":"press7","tag":"temperature","ts":"2026-11-21T03:04:05Z","value":21.5,"quality":"good","seq":12}
	// <nil>
}
