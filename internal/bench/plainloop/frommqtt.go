package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/eclipse/paho.golang/paho"
)

// fromMQTT writes what waits in a session at the MQTT broker as lines, a blob for
// each batch: one is uploaded while the next one gathers, and its messages are
// acknowledged when it is there.
func fromMQTT(ctx context.Context, j job) error {
	blobs, err := azblob.NewClientFromConnectionString(os.Getenv("BLOB_CONNECTION"), nil)
	if err != nil {
		return fmt.Errorf("azblob: %w", err)
	}
	session, err := resumeSession(ctx, j)
	if err != nil {
		return err
	}
	defer session.close()

	var (
		batch    published
		spare    published // of the batch before
		busy     bool
		late     bool // the batch has waited long enough
		ending   = ctx.Done()
		ended    bool
		uploaded = make(chan error, 1)
		timer    = time.NewTimer(maxDelay)
	)
	defer timer.Stop()
	var uploading published
	for !ended || len(batch.messages) > 0 || busy {
		due := len(batch.messages) >= j.batch || len(batch.messages) > 0 && (late || ended)
		if due && !busy {
			busy = true
			uploading, batch = batch, published{text: spare.text[:0], messages: spare.messages[:0]}
			text := uploading.text
			go func() { uploaded <- put(blobs, text) }()
			continue
		}
		take := session.messages
		if len(batch.messages) >= j.batch || ended {
			take = nil
		}
		select {
		case p := <-take:
			if len(batch.messages) == 0 {
				late = false
				timer.Reset(maxDelay)
			}
			batch.text = append(append(batch.text, p.Payload...), '\n')
			batch.messages = append(batch.messages, p)
		case err := <-uploaded:
			busy = false
			if err != nil {
				return fmt.Errorf("upload: %w", err)
			}
			for _, p := range uploading.messages {
				if err := session.client.Ack(p); err != nil {
					return fmt.Errorf("acknowledge: %w", err)
				}
			}
			spare = uploading
		case <-timer.C:
			late = true
		case <-ending:
			ended, ending = true, nil
		case err := <-session.failed:
			return fmt.Errorf("MQTT connection: %w", err)
		}
	}
	return nil
}

// published is a batch of messages, and their lines.
type published struct {
	text     []byte
	messages []*paho.Publish
}

// mqttSession is a connection with a session that outlives it.
type mqttSession struct {
	client   *paho.Client
	messages chan *paho.Publish // room for all that may be unacknowledged
	failed   failure
}

func resumeSession(ctx context.Context, j job) (*mqttSession, error) {
	conn, err := dialMQTT(64 << 10)
	if err != nil {
		return nil, err
	}
	s := &mqttSession{messages: make(chan *paho.Publish, j.prefetch), failed: make(failure, 1)}
	s.client = paho.NewClient(paho.ClientConfig{
		Conn: conn, EnableManualAcknowledgment: true, OnClientError: s.failed.note, OnServerDisconnect: s.failed.noteDisconnect,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			s.messages <- p.Packet
			return true, nil
		}},
	})
	expiry, most := uint32(time.Hour/time.Second), uint16(j.prefetch)
	// Acknowledgement may not stop while draining: the connection outlives ctx.
	ack, err := s.client.Connect(context.WithoutCancel(ctx), &paho.Connect{
		ClientID: "bench", KeepAlive: 30, Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry, ReceiveMaximum: &most},
	})
	if err == nil && !ack.SessionPresent {
		err = errors.New("there is no session")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the MQTT broker: %w", err), conn.Close())
	}
	return s, nil
}

// close takes leave once the acknowledgements are written, which paho does
// every 50 ms.
func (s *mqttSession) close() {
	_ = s.client.Disconnect(&paho.Disconnect{})
	<-s.client.Done()
}
