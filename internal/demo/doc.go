// Package demo shows the main job at work: a simulated factory publishes
// readings, a feed carries them to MQTT and to files, and a witness that
// believes nothing the feed says counts what has arrived.
//
// The feed is the real thing: a feed.yaml is written, read by package config
// and run as "feed run" does. Around it stand a private RabbitMQ node (or one
// that is given, or none: then an in-process source takes its place), an MQTT
// broker inside the process and a directory. All of it is stopped and removed
// when the demo ends, however it ends.
package demo
