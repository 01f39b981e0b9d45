package plugintest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/plugins/plugintest"
)

const spoolWindow = 10

type spoolConfig struct {
	Directory string `yaml:"directory" doc:"Where the files are."`
}

func (*spoolConfig) Validate() error { return nil }

// spool is a source of files, one for each message, which settling removes.
type spool struct {
	message.Subscriber
	directory string
	handedOut uint64 // the last file that was, ever
}

func newSpool(c spoolConfig, _ feed.StageEnv) (*spool, error) {
	return &spool{directory: c.Directory}, nil
}

func (s *spool) SubscribeBatch(ctx context.Context, _ string) (feed.Subscription, error) {
	return &spooling{spool: s, end: make(chan struct{})}, ctx.Err()
}

func (*spool) Close() error { return nil }

// name is that of the file of a message.
func name(directory string, tag uint64) string {
	return filepath.Join(directory, fmt.Sprintf("%06d", tag))
}

type spooling struct {
	*spool
	last      uint64 // that was handed out
	unsettled int
	end       chan struct{}
}

var errSpoolClosed = errors.New("the subscription is closed")

func (s *spooling) Receive(ctx context.Context, dst []feed.Delivery, most int) ([]feed.Delivery, error) {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return dst, ctx.Err()
		case <-s.end:
			return dst, errSpoolClosed
		default:
		}
		files, err := os.ReadDir(s.directory)
		if err != nil {
			return dst, err
		}
		n := len(dst)
		for _, f := range files {
			var tag uint64
			if _, err := fmt.Sscanf(f.Name(), "%06d", &tag); err != nil || tag <= s.last {
				continue
			}
			if len(dst)-n == most || s.unsettled == spoolWindow {
				break
			}
			payload, err := os.ReadFile(name(s.directory, tag))
			if err != nil {
				return dst[:n], err
			}
			dst = append(dst, feed.Delivery{Message: message.NewMessage(f.Name(), payload), Tag: tag, Redelivered: tag <= s.handedOut})
			s.last, s.handedOut = tag, max(tag, s.handedOut)
			s.unsettled++
		}
		if len(dst) > n {
			return dst, nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
		case <-s.end:
		}
	}
}

func (s *spooling) Settle(_ context.Context, settlements []feed.Settlement) error {
	for _, one := range settlements {
		if err := os.Remove(name(s.directory, one.Tag)); err != nil {
			return err
		}
		s.unsettled--
	}
	return nil
}

func (s *spooling) Close() error {
	select {
	case <-s.end:
	default:
		close(s.end)
	}
	return nil
}

func spoolCase() plugintest.Case {
	return plugintest.Source{Name: "spool", Place: func(t *testing.T) (string, feedtest.SourceUnderTest) {
		directory := t.TempDir()
		last := uint64(0)
		return fmt.Sprintf(`{"directory": %q}`, directory), feedtest.SourceUnderTest{
			Window: spoolWindow,
			Put: func(t testing.TB, payloads ...[]byte) {
				for _, p := range payloads {
					last++
					unfinished := filepath.Join(directory, "new")
					if err := errors.Join(os.WriteFile(unfinished, p, 0o600), os.Rename(unfinished, name(directory, last))); err != nil {
						t.Fatal(err)
					}
				}
			},
			Left: func(t testing.TB) int {
				files, err := os.ReadDir(directory)
				if err != nil {
					t.Fatal(err)
				}
				return len(files)
			},
		}
	}}
}
