// Command feed runs feeds from a YAML file and looks at those that run.
//
//	feed run FILE              run a feed until SIGTERM or SIGINT
//	feed demo                  run all of it, from simulated devices to MQTT and files, and compare what arrived
//	feed simulate              send the batches of simulated devices to RabbitMQ and to a cloud API
//	feed simulate api          stand in for the cloud API of a vendor
//	feed lint FILE...          check files without running them
//	feed test FILE...          run the tests in files: messages through the transforms, without servers
//	feed validate FILE         compare what has arrived with what there should be
//	feed capacity FILE...      reckon how long an outage the volumes bridge
//	feed status                show what a running feed does
//	feed trace [ID]            show the way of a message through every route
//	feed stages [NAME]         list the stages, or the settings of one
//	feed plugins ls|check|conformance
//	                           look at plugins: stages in processes of their own
//	feed schema                print a JSON Schema of the file for editors
//	feed quarantine ls|show|replay|export|purge|audit
//	                           deal with messages that could not be delivered
//	feed deploy render|diff    render what Kubernetes is to run at a site, and compare it
//	feed version               print version and build
//
// # Exit codes
//
//	0  success; for run: stopped, and all that was in flight was settled;
//	   for validate: proven; for capacity: no warning
//	1  failure at run time; for validate: something is wrong with what has arrived;
//	   for capacity: an outage is not bridged
//	2  wrong usage or configuration; for validate also: it could not be compared,
//	   or not be decided
//	3  run: the drain deadline passed; what was in flight went back to its source
//	4  run: a second signal stopped it at once; what was in flight comes again
package main
