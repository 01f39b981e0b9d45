// Package validator is a sink that proves, while a feed runs, that what should have
// arrived did. It keeps the readings of a route as they come, and compares them again
// and again with an expectation, such as the API of a vendor's cloud, by package
// feed/validate. It stands beside the sink that the readings are meant for, within
// all:, or at the end of a route of its own.
//
// # When a message is done
//
// PublishBatch returns when the readings of a batch are on disk (fsync), as one: after
// a crash all of them are there or, when it had not returned, none. A message that is
// no reading is refused for ever. Each copy that comes is kept as one, with the order
// and the time of its arrival, since copies and disorder are what is looked for.
//
// # What is kept
//
// Readings stand in segments, files of some megabytes or an hour, to which blocks with
// checksums are appended; some bytes a reading. A segment is dropped when its readings
// are older than retention. When maxBytes is reached, the oldest segments are dropped
// of which all windows are judged; when there are none, batches are refused until
// there are, so that the route holds back. Whatever is dropped is counted, and its
// windows are never judged again. A reading whose time is more than a day ahead of its
// arrival, because a clock is wrong, keeps nothing and closes no window: if it is
// expected, too, it is missing when that day comes and it is not there any more.
//
// # When a window is judged
//
// Every so often a run looks at the windows that began after the sink did, that have
// ended, and that the watermark of the expectation has passed by lateness. A window
// that is judged is not read again, unless readings of its time arrive, be they late,
// sent again or repaired: behind its watermark, an expectation does not change. What
// could not be decided is looked at in each run. A run compares an hour of windows at a
// time, or one when they are longer: a reading whose time was altered by more is found
// as one that is missing and one that is extra.
//
// The results are in the log, in reports, and in metrics (docs/metrics.md). A run that
// fails is counted, and the next one tries again; batches do not wait for it.
//
//	sink:
//	  all:
//	    - postgres: {url: "${POSTGRES_URL}"}
//	    - validator:
//	        path: /var/lib/feed/validator
//	        report: /var/lib/feed/reports
//	        expect: {cloudapi: {url: https://api.vendor.example, oauth2: {clientId: validator, clientSecret: "${CLOUD_SECRET}"}}}
package validator
