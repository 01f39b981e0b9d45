package amqp

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

// inequivalent is how RabbitMQ tells that a declaration differs from what
// exists:
//
//	PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in
//	vhost '/': received the value 'quorum' of type 'longstr' but current is none
var inequivalent = regexp.MustCompile(`(?s)inequivalent arg '(.*?)' for (?:queue|exchange) '.*' in vhost '.*': received (.*) but current is (.*)$`)

// typed is a value in such a text.
var typed = regexp.MustCompile(`(?s)^(?:the value )?'(.*?)'(?: of type '(\w+)')?$`)

// configKeys are the keys that stand for a broker's argument.
var configKeys = map[string]string{
	"durable":                         "transient",
	"type":                            "type",
	"x-queue-type":                    "type",
	"x-max-length":                    "maxLength",
	"x-max-length-bytes":              "maxBytes",
	"x-overflow":                      "overflow",
	"x-single-active-consumer":        "singleActiveConsumer",
	"x-dead-letter-exchange":          "deadLetter.exchange",
	"x-dead-letter-routing-key":       "deadLetter.routingKey",
	"x-dead-letter-strategy":          "deadLetter.strategy",
	"x-max-age":                       "maxAge",
	"x-stream-max-segment-size-bytes": "segmentBytes",
}

// explainMismatch turns a refused declaration into a *feed.ConfigError that
// says what differs. Retrying cannot help: either the configuration or the
// broker must be changed. Other errors stay transient.
func explainMismatch(kind, name, section string, err error) error {
	var e *amqp091.Error
	if !errors.As(err, &e) || e.Code != amqp091.PreconditionFailed {
		return fmt.Errorf("declare %s %q: %w", kind, name, err)
	}
	m := inequivalent.FindStringSubmatch(e.Reason)
	if m == nil {
		return &feed.ConfigError{
			Key:     section,
			Problem: fmt.Sprintf("the broker refuses the declaration of %s %q: %s", kind, name, e.Reason),
			Remedy:  "correct the declaration",
		}
	}
	argument, asked, has := m[1], plainValue(m[2]), plainValue(m[3])
	key := section
	if k, ok := configKeys[argument]; ok {
		key += "." + k
	}
	problem := fmt.Sprintf("%s %q exists with another %s: the configuration asks for %s, the broker has %s", kind, name, argument, asked, has)
	if strings.HasPrefix(argument, "x-") && argument != amqp091.QueueTypeArg {
		problem += fmt.Sprintf("; RabbitMQ names only the first argument that differs, so that %s %q may be of another type, a stream for example (rabbitmqctl list_queues name type arguments)", kind, name)
	}
	return &feed.ConfigError{
		Key:     key,
		Problem: problem,
		Remedy:  fmt.Sprintf("change the configuration to what the broker has; or use another name; or, once the %s is no longer needed, delete it on the broker so that it is declared anew", kind),
	}
}

// plainValue makes "the value '5' of type 'long'" into "5 (long)".
func plainValue(text string) string {
	text = strings.TrimSpace(text)
	m := typed.FindStringSubmatch(text)
	switch {
	case m == nil:
		return text
	case m[2] == "" || m[2] == "longstr" || m[2] == "bool":
		return m[1]
	}
	return m[1] + " (" + m[2] + ")"
}
