package main

import (
	"encoding/json"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// topicOfKey maps telemetry.SITE.LINE.DEVICE.TAG to kraft/SITE/LINE/DEVICE/TAG.
func topicOfKey(d *amqp.Delivery) (string, error) {
	return "kraft/" + strings.ReplaceAll(strings.TrimPrefix(d.RoutingKey, "telemetry."), ".", "/"), nil
}

// topicOfPayload takes the same from the fields of a JSON payload.
func topicOfPayload(d *amqp.Delivery) (string, error) {
	var r place
	if err := json.Unmarshal(d.Body, &r); err != nil {
		return "", fmt.Errorf("read the payload: %w", err)
	}
	return "kraft/" + r.Site + "/" + r.Line + "/" + r.Device + "/" + r.Tag, nil
}
