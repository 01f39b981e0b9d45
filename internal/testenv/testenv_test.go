package testenv_test

import (
	"net/http"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dial opens a channel that is closed with the test.
func dial(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return channel
}

// publish declares a durable quorum queue and puts one confirmed message into it.
func publish(t *testing.T, channel *amqp.Channel, queue string) {
	t.Helper()
	if _, err := channel.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirmation, err := channel.PublishWithDeferredConfirm("", queue, false, false, amqp.Publishing{Body: []byte("kept"), DeliveryMode: amqp.Persistent})
	if err != nil {
		t.Fatal(err)
	}
	if !confirmation.Wait() {
		t.Fatal("the message was not confirmed")
	}
}

func TestRabbitMQVhostIsFreshAndUsable(t *testing.T) {
	vhost := testenv.RabbitMQ(t)
	channel := dial(t, vhost.URL())
	publish(t, channel, "q")
	testenv.Eventually(t, 10*time.Second, "one message in the queue", func() bool {
		messages, unacked, err := vhost.Queue("q")
		return err == nil && messages == 1 && unacked == 0
	})
	if _, ok, err := channel.Get("q", false); err != nil || !ok {
		t.Fatalf("get: %v, %v", ok, err)
	}
	testenv.Eventually(t, 10*time.Second, "one unacknowledged message", func() bool {
		messages, unacked, err := vhost.Queue("q")
		return err == nil && messages == 1 && unacked == 1
	})
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	if n := vhost.CloseConnections(t); n != 1 {
		t.Errorf("%d connections were closed, want 1", n)
	}
	if err := <-closed; err == nil || err.Code != amqp.ConnectionForced {
		t.Errorf("the channel closed with %v, want code %d", err, amqp.ConnectionForced)
	}
	var queues []any
	other := testenv.RabbitMQ(t)
	if other.Do(t, http.MethodGet, "/queues/"+other.Vhost, nil, &queues); len(queues) != 0 {
		t.Errorf("a fresh vhost has queues: %v", queues)
	}
}

func TestMosquitto(t *testing.T) {
	broker := testenv.Mosquitto(t)
	broker.Kill()
	broker.Start()
	broker.Pause()
	broker.Resume()
	broker.Stop()
}

func TestAzurite(t *testing.T) {
	container := testenv.Azurite(t)
	t.Log(container.ConnectionString())
}

func TestPostgreSQL(t *testing.T) {
	database := testenv.PostgreSQL(t)
	t.Log(database.Name)
}
