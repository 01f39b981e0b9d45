package log_test

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/log"
)

func Example() {
	config := log.DefaultConfig()
	config.Format = log.FormatJSON
	sink, err := log.NewSink(config, feed.StageEnv{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close()
	m := message.NewMessage("", []byte(`{"value":21.5}`))
	feed.SetTopic(m, "kraft/press/temperature")
	if err := sink.PublishBatch(context.Background(), feed.NewBatch(m)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"topic":"kraft/press/temperature","metadata":{"topic":"kraft/press/temperature"},"payload":"{\"value\":21.5}"}
}
