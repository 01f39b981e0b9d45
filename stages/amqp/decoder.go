package amqp

import "time"

// decoder decodes texts and properties, and remembers texts that recur.
type decoder struct{ known knownTexts }

// text returns b as a string; the same one for equal bytes, as long as they
// recur.
func (d *decoder) text(b []byte) string { return d.known.text(b) }

// The flags of the properties of class basic, in their order.
const (
	hasContentType     = 1 << 15
	hasContentEncoding = 1 << 14
	hasHeaders         = 1 << 13
	hasDeliveryMode    = 1 << 12
	hasPriority        = 1 << 11
	hasCorrelationID   = 1 << 10
	hasReplyTo         = 1 << 9
	hasExpiration      = 1 << 8
	hasMessageID       = 1 << 7
	hasTimestamp       = 1 << 6
	hasType            = 1 << 5
	hasUserID          = 1 << 4
	hasAppID           = 1 << 3
	hasReserved        = 1 << 2
	hasMoreFlags       = 1
)

// properties decodes the properties of a delivery. What is wrong inside of the
// headers concerns them alone; anything else is no AMQP.
func (d *decoder) properties(m *delivery) (Properties, error) {
	r := reader{data: m.properties}
	flags := r.uint16()
	if flags&hasMoreFlags != 0 {
		r.fail() // class basic has no more than one word of them
	}
	has := func(flag uint16) bool { return flags&flag != 0 }
	p := Properties{Exchange: m.exchange, RoutingKey: m.routingKey}
	if has(hasContentType) {
		p.ContentType = d.text(r.shortString())
	}
	if has(hasContentEncoding) {
		p.ContentEncoding = d.text(r.shortString())
	}
	if has(hasHeaders) {
		raw := r.longString()
		var err error
		if p.Headers, err = readTable(raw, maxTableDepth); err != nil {
			p.RawHeaders = raw
		}
	}
	if has(hasDeliveryMode) {
		p.DeliveryMode = r.uint8()
	}
	if has(hasPriority) {
		p.Priority = r.uint8()
	}
	if has(hasCorrelationID) {
		p.CorrelationID = string(r.shortString())
	}
	if has(hasReplyTo) {
		p.ReplyTo = string(r.shortString())
	}
	if has(hasExpiration) {
		p.Expiration = string(r.shortString())
	}
	if has(hasMessageID) {
		p.MessageID = string(r.shortString())
	}
	if has(hasTimestamp) {
		p.Timestamp = time.Unix(int64(r.uint64()), 0)
	}
	if has(hasType) {
		p.Type = d.text(r.shortString())
	}
	if has(hasUserID) {
		p.UserID = d.text(r.shortString())
	}
	if has(hasAppID) {
		p.AppID = d.text(r.shortString())
	}
	if has(hasReserved) {
		r.shortString()
	}
	return p, r.err
}
