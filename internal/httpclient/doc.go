// Package httpclient holds what clients of HTTP servers have in common: tokens for
// client credentials, whom they trust, and how they read what a server says.
package httpclient
