package testenv_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/jackc/pgx/v5"
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
	testenv.Eventually(t, time.Minute, "one message in the queue", func() bool {
		messages, unacked, err := vhost.Queue("q")
		return err == nil && messages == 1 && unacked == 0
	})
	if _, ok, err := channel.Get("q", false); err != nil || !ok {
		t.Fatalf("get: %v, %v", ok, err)
	}
	testenv.Eventually(t, time.Minute, "one unacknowledged message", func() bool {
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

func TestPrivateRabbitMQ(t *testing.T) {
	t.Parallel() // it waits most of the time
	files := testenv.CA(t)
	node := testenv.PrivateRabbitMQ(t, testenv.WithTLS(files))
	publish(t, dial(t, node.URL()), "q")

	t.Run("certificate logs in", func(t *testing.T) {
		conn, err := amqp.DialConfig(node.TLSURL(), amqp.Config{
			SASL: []amqp.Authentication{&amqp.ExternalAuth{}}, TLSClientConfig: files.ClientTLS(), Vhost: node.Vhost.Vhost,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("no certificate, no connection", func(t *testing.T) {
		config := files.ClientTLS()
		config.Certificates = nil
		conn, err := amqp.DialTLS("amqps://"+node.User+":"+node.Password+"@"+node.TLSAddr()+"/", config)
		if err == nil {
			t.Error(errors.Join(errors.New("it connected"), conn.Close()))
		}
	})
	t.Run("memory alarm blocks publishers", func(t *testing.T) {
		conn, err := amqp.Dial(node.URL())
		if err != nil {
			t.Fatal(err)
		}
		blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
		channel, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		node.SetMemoryAlarm(true)
		// A node tells a connection when it publishes.
		if err := channel.Publish("", "nowhere", false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		if b := <-blocked; !b.Active {
			t.Error("the first notification unblocks")
		}
		node.SetMemoryAlarm(false)
		if b := <-blocked; b.Active {
			t.Error("the second notification blocks")
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("pause answers nobody", func(t *testing.T) {
		node.Pause()
		conn, err := net.Dial("tcp", node.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "AMQP\x00\x00\x09\x01"); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read from a paused node: %v", err)
		}
		node.Resume()
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Errorf("read from a resumed node: %v", err)
		}
	})
	for name, end := range map[string]func(){"kill": node.Kill, "stop": node.Stop} {
		t.Run("queue survives "+name, func(t *testing.T) {
			end()
			if conn, err := net.Dial("tcp", node.Addr); err == nil {
				t.Error(errors.Join(errors.New("the node still listens"), conn.Close()))
			}
			node.Start()
			channel := dial(t, node.URL())
			var message amqp.Delivery
			// A message that was out at the end comes back once the queue knows
			// that its consumer is gone.
			testenv.Eventually(t, time.Minute, "the message", func() (ok bool) {
				var err error
				if message, ok, err = channel.Get("q", false); err != nil {
					t.Fatal(err)
				}
				return ok
			})
			if string(message.Body) != "kept" {
				t.Errorf("got %q", message.Body)
			}
		})
	}
}

// connack connects with MQTT 3.1.1 and returns the broker's return code.
func connack(t *testing.T, conn io.ReadWriter) byte {
	t.Helper()
	const hello = "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"
	if _, err := io.WriteString(conn, hello); err != nil {
		t.Fatal(err)
	}
	var answer [4]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		t.Fatal(err)
	}
	if answer[0] != 0x20 {
		t.Fatalf("the answer is not a CONNACK: % x", answer)
	}
	return answer[3]
}

func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestMosquitto(t *testing.T) {
	broker := testenv.Mosquitto(t)
	if code := connack(t, dialTCP(t, broker.Addr)); code != 0 {
		t.Errorf("CONNACK %d, want 0", code)
	}
	broker.Kill()
	if conn, err := net.Dial("tcp", broker.Addr); err == nil {
		t.Error(errors.Join(errors.New("the broker still listens"), conn.Close()))
	}
	broker.Start()
	broker.Pause()
	conn := dialTCP(t, broker.Addr)
	broker.Resume()
	if code := connack(t, conn); code != 0 {
		t.Errorf("CONNACK %d, want 0", code)
	}
	broker.Pause()
	broker.Stop() // ends a paused broker too
}

func TestMosquittoSettingsWinOverDefaults(t *testing.T) {
	broker := testenv.Mosquitto(t, testenv.WithMosquittoSettings("allow_anonymous false"))
	if code := connack(t, dialTCP(t, broker.Addr)); code != 5 {
		t.Errorf("CONNACK %d, want 5 (not authorised)", code)
	}
}

func TestMosquittoTLS(t *testing.T) {
	files := testenv.CA(t)
	broker := testenv.Mosquitto(t, testenv.WithMosquittoTLS(files))
	conn, err := tls.Dial("tcp", broker.Addr, files.ClientTLS())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if code := connack(t, conn); code != 0 {
		t.Errorf("CONNACK %d, want 0", code)
	}
}

// upload writes a blob.
func upload(t *testing.T, c *testenv.Container, client *azblob.Client) {
	t.Helper()
	if _, err := client.UploadBuffer(t.Context(), c.ContainerName, "b", []byte("kept"), nil); err != nil {
		t.Fatal(err)
	}
}

// download reads it back.
func download(t *testing.T, c *testenv.Container, client *azblob.Client) {
	t.Helper()
	var data [4]byte
	if _, err := client.DownloadBuffer(t.Context(), c.ContainerName, "b", data[:], nil); err != nil || string(data[:]) != "kept" {
		t.Errorf("download: %q, %v", data, err)
	}
}

func blobs(t *testing.T, c *testenv.Container) *azblob.Client {
	t.Helper()
	client, err := azblob.NewClientFromConnectionString(c.ConnectionString(), &azblob.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestAzuriteContainerIsFresh(t *testing.T) {
	container := testenv.Azurite(t)
	client := blobs(t, container)
	upload(t, container, client)
	download(t, container, client)
	if other := testenv.Azurite(t); other.ContainerName == container.ContainerName || other.Addr != container.Addr {
		t.Errorf("%+v and %+v", other, container)
	}
}

func TestPrivateAzuriteKeepsBlobs(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.PrivateAzurite(t)
	client := blobs(t, server.Container)
	upload(t, server.Container, client)
	server.Stop()
	server.Start()
	download(t, server.Container, client)
	server.Pause()
	server.Resume()
	download(t, server.Container, client)
}

func TestPostgreSQLDatabaseIsFresh(t *testing.T) {
	first, second := testenv.PostgreSQL(t), testenv.PostgreSQL(t)
	for _, database := range []*testenv.Database{first, second} {
		conn, err := pgx.Connect(t.Context(), database.URL())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE readings (v int)"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
