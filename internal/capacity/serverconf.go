package capacity

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
)

// AddRabbitMQConf takes over what rabbitmq.conf says of the disk.
func (p *Plan) AddRabbitMQConf(file string, data []byte) error {
	v := p.volume(volumeRabbitMQ)
	return settings(data, func(line int, key, value string) (err error) {
		switch key {
		case "disk_free_limit.absolute":
			v.reserve, err = rabbitMQSize(value)
		case "disk_free_limit.relative":
			return fmt.Errorf("%s:%d: %s is relative to memory, which is not known here (write disk_free_limit.absolute)", file, line, key)
		case "raft.wal_max_size_bytes":
			p.broker.wal, err = rabbitMQSize(value)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %w", file, line, key, err)
		}
		return nil
	}, "=")
}

// rabbitMQSize reads a size as RabbitMQ does: k, M and G are powers of 1024.
func rabbitMQSize(text string) (feed.Size, error) {
	if strings.HasSuffix(text, "k") {
		text = strings.TrimSuffix(text, "k") + "KiB"
	}
	if strings.HasSuffix(text, "M") || strings.HasSuffix(text, "G") {
		text += "iB"
	}
	return feed.ParseSize(text)
}

// AddMosquittoConf adds the queue of one subscriber that is away, with the bounds
// of mosquitto.conf.
func (p *Plan) AddMosquittoConf(file string, data []byte) error {
	messages, bytes, persistent := int64(1000), int64(0), false // Mosquitto's defaults
	err := settings(data, func(line int, key, value string) (err error) {
		switch key {
		case "persistence":
			persistent = value == "true"
		case "max_queued_messages":
			messages, err = strconv.ParseInt(value, 10, 64)
		case "max_queued_bytes":
			bytes, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %q is no number", file, line, key, value)
		}
		return nil
	}, " ")
	if err != nil {
		return err
	}
	f := p.load.readings()
	// The database is written anew beside the old one: a message is there twice.
	s := Store{Volume: volumeMosquitto, Name: "session of one subscriber", Role: Buffer, Rate: f.rate, OnDisk: 2 * (f.bytes + mosquittoOverhead), Full: DropsNewest}
	if messages > 0 {
		s.Bounds = append(s.Bounds, Bound{fmt.Sprintf("max_queued_messages %d", messages), float64(messages)})
	}
	if bytes > 0 {
		s.Bounds = append(s.Bounds, byBytes("max_queued_bytes", feed.Size(bytes), f.bytes))
	}
	if !persistent {
		s.Bounds, s.Full = []Bound{{"persistence false", 0}}, Unsaved
	}
	p.add(s)
	return nil
}

// settings calls set for each line of a file that is neither empty nor a
// comment.
func settings(data []byte, set func(line int, key, value string) error, between string) error {
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, _ := strings.Cut(line, between)
		if err := set(n, strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return err
		}
	}
	return nil
}
