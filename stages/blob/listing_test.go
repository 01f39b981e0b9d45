package blob

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

// listings is a server that lists pages of names in the order given. The first
// request for each page fails.
func listings(t *testing.T, pages ...[]string) Config {
	t.Helper()
	asked := map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		marker := r.URL.Query().Get("marker")
		if !asked[marker] {
			asked[marker] = true
			http.Error(w, "disturbed", http.StatusInternalServerError)
			return
		}
		n := len(marker)
		var b strings.Builder
		b.WriteString(`<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>`)
		for _, name := range pages[n] {
			fmt.Fprintf(&b, "<Blob><Name>%s</Name><Properties><Content-Length>1</Content-Length></Properties></Blob>", name)
		}
		b.WriteString("</Blobs><NextMarker>")
		if n+1 < len(pages) {
			b.WriteString(marker + "x")
		}
		b.WriteString("</NextMarker></EnumerationResults>")
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, b.String())
	}))
	t.Cleanup(srv.Close)
	cfg := dirConfig("")
	cfg.URL, cfg.Container = feed.URL{}, "telemetry"
	cfg.ConnectionString = feed.NewSecret("DefaultEndpointsProtocol=http;AccountName=plant;AccountKey=a2V5;BlobEndpoint=" + srv.URL + "/plant")
	return cfg
}

// TestListingInAnyOrder: with a hierarchical namespace all below a directory comes
// before what stands beside it, such as plant/a before plant-2; and a request that
// is made again leaves nothing out and repeats nothing.
func TestListingInAnyOrder(t *testing.T) {
	pages := [][]string{{"plant/a.ndjson", "plant-2/b.ndjson"}, {"plant.old/c.ndjson"}, {"plant/z/d.ndjson", "a.ndjson"}}
	o := observe(t, listings(t, pages...), nil)
	var names []string
	for obj, err := range o.list(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, obj.Name)
	}
	if want := slices.Concat(pages...); !slices.Equal(names, want) {
		t.Errorf("listed %q, and there are %q", names, want)
	}
	if retries := o.Costs().Retries; retries != int64(len(pages)) {
		t.Errorf("%d requests were made again, of %d that failed", retries, len(pages))
	}
}
