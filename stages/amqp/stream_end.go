package amqp

import "context"

// End returns the offset of a message that is near the end of a stream, in its last
// chunk; found is false when the stream is empty. Who wants to read what there is
// now, of a stream that grows, reads up to there and then for a while.
func (s *Source) End(ctx context.Context, topic string) (offset uint64, found bool, err error) {
	queue, err := s.queue(topic)
	if err != nil {
		return 0, false, err
	}
	l, err := s.conn.get(ctx)
	if err != nil {
		return 0, false, err
	}
	return s.lastOf(ctx, l, queue, 0)
}
