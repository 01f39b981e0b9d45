package unbatch_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/stages/unbatch"
)

// plainCodec is a codec of one's own: an array in JSON.
type plainCodec struct{}

func (plainCodec) Name() string { return "plain" }

func (plainCodec) Append(dst []byte, rs []reading.Reading) ([]byte, error) {
	dst = append(dst, '[')
	for i := range rs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = rs[i].AppendJSON(dst)
	}
	return append(dst, ']'), nil
}

func (plainCodec) Decode(dst []reading.Reading, body []byte, l batch.Limits) ([]reading.Reading, error) {
	if len(body) > l.MaxBytes {
		return nil, &batch.Corrupt{Reason: batch.ReasonLimits, Err: fmt.Errorf("%d bytes", len(body))}
	}
	var members []json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	var parser reading.Parser
	for _, text := range members {
		r, err := parser.Parse(text)
		if err != nil {
			return nil, err
		}
		dst = append(dst, r)
	}
	return dst, nil
}

// plainConfig has no settings.
type plainConfig struct{}

func (*plainConfig) Validate() error { return nil }

// A codec of one's own unpacks batches beside those of the project.
func ExampleNewUnbatch() {
	at := time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)
	sent := []reading.Reading{{Site: "plant1", Line: "line1", Device: "press7", Tag: "temperature", Time: at.UnixNano(), Value: reading.OfFloat(21.5), Quality: "good", Seq: 1}}
	frame, err := batch.Append(nil, plainCodec{}, "press7", 1, sent)
	if err != nil {
		fmt.Println(err)
		return
	}

	config := unbatch.DefaultConfig()
	plain := batch.Factory("plain", "An array in JSON.", func() plainConfig { return plainConfig{} },
		func(plainConfig, feed.StageEnv) (batch.Codec, error) { return plainCodec{}, nil })
	config.Codecs = []feed.Nested{{Name: plain.Name, Config: plain.NewConfig(), Factory: plain}} // in a file: codecs: [{plain: {}}]
	u, err := unbatch.NewUnbatch(config, feed.StageEnv{})
	if err != nil {
		fmt.Println(err)
		return
	}
	readings, err := u.Transform().Func(message.NewMessage("press7/1", frame)) // a route calls it
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range readings {
		fmt.Println(feed.Topic(m), string(m.Payload))
	}
	// Output:
	// telemetry.plant1.line1.press7.temperature {"site":"plant1","line":"line1","device":"press7","tag":"temperature","ts":"2026-11-21T06:00:00Z","value":21.5,"quality":"good","seq":1}
}
