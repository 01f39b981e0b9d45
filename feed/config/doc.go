// Package config reads feed.yaml: it decodes the file strictly, checks that
// the routes can work, and makes their stages.
//
// # The file
//
//	name: line-1
//	quarantine: {path: /var/lib/feed/quarantine.db, maxBytes: 1GiB}
//	routes:
//	  telemetry:
//	    source: {amqp: {url: "${AMQP_URL}", queue: telemetry}}
//	    transforms:
//	      - bridge: {…}
//	    sink: {mqtt: {url: "${MQTT_URL}"}}
//
// A stage is a mapping of one key, its name, to its settings; the names and
// their settings come from the [feed.Registry]. A sink named all holds a list
// of sinks that must each take every message (see [feed.All]). A field of type
// [feed.Nested] in a stage's settings is a stage, too.
//
// A file may also say what is to be compared, with or without routes:
//
//	validate:
//	  expect: {cloudapi: {…}}
//	  observe: {blob: {…}}
//
// # References
//
// Every value may hold ${NAME}, ${NAME:-default} and ${file:/path}; $$ stands
// for a dollar sign. A [feed.Secret] takes nothing else: a secret in the file
// itself is refused. The environment is read once. Files that a secret or a
// URL names are read anew at each use, others once.
//
// # Problems
//
// [Parse] reports all that is wrong with a file at once, each with its line and
// column, its key, the reason, and what to write instead. No message shows what
// a reference stands for. Anchors, aliases and << work; what they expand to is
// bounded.
//
// Besides the settings of each stage it checks what only the whole shows: a
// batch that the source's window cannot fill, messages held too near the
// broker's acknowledgement timeout, a sink that may lose messages, routes that
// lead messages in a circle.
package config
