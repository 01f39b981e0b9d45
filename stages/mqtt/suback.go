package mqtt

import (
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
)

// grants says why a reason code of a SUBACK does not grant filter i with QoS 1.
// What no retry can mend is a *feed.ConfigError: MQTT 5.0 §3.9.3.
func grants(i int, filter string, code byte, text string) error {
	if code == 1 {
		return nil
	}
	key := fmt.Sprintf("topics[%d]", i)
	if !refused(code) {
		return &feed.ConfigError{
			Key:     key,
			Problem: fmt.Sprintf("the broker grants %s with QoS %d only, so that messages may be lost", clip(filter), code),
			Remedy:  "allow QoS 1 at the broker",
		}
	}
	reason := &ReasonError{Packet: "SUBACK", Code: code, Text: bounded(text)}
	var remedy string
	switch code {
	case 0x87:
		remedy = "allow this client to subscribe to the filter at the broker, or change the filter"
	case 0x8F:
		remedy = "write a filter that the broker takes"
	case 0x9E:
		remedy = "remove sharedGroup, or use a broker with shared subscriptions"
	case 0xA2:
		remedy = "list topics without + and #"
	default: // such as a quota: it may pass
		return fmt.Errorf("subscribe to %s: the broker refused: %w", clip(filter), reason)
	}
	return &feed.ConfigError{Key: key, Problem: fmt.Sprintf("the broker refuses %s: %v", clip(filter), reason), Remedy: remedy}
}
