package http_test

import (
	"context"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/http"
)

func ExampleSink() {
	receiver := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		fmt.Printf("%s %s\n%s", r.Method, r.Header.Get("Content-Type"), body)
		w.WriteHeader(nethttp.StatusNoContent)
	}))
	defer receiver.Close()

	config := http.DefaultSinkConfig()
	config.URL = feed.NewURL(receiver.URL)
	config.Body = http.BodyLines
	sink, err := http.NewSink(config, feed.StageEnv{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close()
	batch := feed.NewBatch(
		message.NewMessage("", []byte(`{"value":21.5}`)),
		message.NewMessage("", []byte(`{"value":21.7}`)),
	)
	if err := sink.PublishBatch(context.Background(), batch); err != nil {
		fmt.Println(err)
	}
	// Output:
	// POST application/x-ndjson
	// {"value":21.5}
	// {"value":21.7}
}
