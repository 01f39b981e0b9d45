// Package demo shows the whole process on one machine. Simulated devices send
// batches of readings to RabbitMQ, some of them damaged, repeated or late; a feed
// unpacks them and carries the readings to MQTT, to files and, if there is one, to
// PostgreSQL. The same devices deliver the same readings to the stand-in for a
// cloud API, undisturbed. In the end what has arrived is compared with what that
// API serves, reading by reading, and every hop is accounted for.
//
// The feeds are the real thing: a devices.yaml and a feed.yaml are written, read
// by package config and run as "feed run" does. Around them stand a private
// RabbitMQ node (or one that is given, or none: then the devices hand their
// batches to the feed within the process), an MQTT broker inside the process that
// asks for service account tokens, with a subscriber that has one of its own, and a
// directory. All of it is stopped and
// removed when the demo ends, however it ends.
package demo
