// Package cloudapi reads what devices have said from the API of their vendor's
// cloud, to which they deliver on a way of their own: the expectation of a
// validation.
//
// # Terms
//
// The API is the one that docs/cloud-api.md describes. It tells readings in the
// JSON form of package feed/reading, in pages that follow each other by cursors, in
// the order of time, device, tag and sequence number; and a watermark, the time
// before which it has all of them.
//
// # Promises
//
// [Expectation.Read] returns nil when it has handed out all that the API tells of a
// query. It takes nothing on trust that can be checked: that a page is one, that
// its readings are those that were asked for, that they follow those of the page
// before, that it says whether there are more. What fails a check is an error that
// says what came. A single reading of a page that cannot be read is handed out as
// unreadable.
//
// A request that fails for a reason that may pass (no connection, a lost one, 408,
// 429, any 5xx, a page that ends early) is sent again, at growing intervals or when
// the API says (Retry-After), for as long as patience lasts. A page counts when it
// is whole, so that a second try hands out nothing twice. A token is renewed before
// it ends, and once when it is refused. Everything else is an error at once, marked
// with [feed.Permanent], that names the remedy.
//
// Long ranges are read in several parts at a time. Redirects are not followed, so
// that nobody else gets the token.
//
// # Configuration
//
//	expectation:
//	  cloudapi:
//	    url: https://api.vendor.example
//	    oauth2:
//	      clientId: validator
//	      clientSecret: ${file:/run/secrets/validator}
//
// http is refused for other hosts than this one, unless plaintext is true.
package cloudapi
