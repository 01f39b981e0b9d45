package e2e_test

import (
	"sync"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestNothingIsLostWhateverFails runs the plant while the feed is killed at
// random moments, RabbitMQ is restarted, its connections are cut, and
// Mosquitto and Azurite are frozen until the feed gives up for a while.
func TestNothingIsLostWhateverFails(t *testing.T) {
	t.Parallel() // it waits most of the time
	const (
		window = 1000
		rate   = 1500
	)
	seconds, random := testenv.Amount(40, 100), testenv.Random(t)
	n := rate * seconds
	patience := testenv.Amount(8*time.Second, 20*time.Second)

	node, broker, blobs := testenv.PrivateRabbitMQ(t), testenv.Mosquitto(t), testenv.PrivateAzurite(t)
	p := newPlant(t, places{amqpURL: node.URL(), broker: broker, container: blobs.Container, window: window, patience: patience})
	p.factory.Rate = rate
	p.feed.start()
	p.feed.ready()
	published := make(chan error, 1)
	go func() { published <- p.factory.Publish(t.Context(), readings(n)) }()

	// Each fault lets at most a window of messages arrive twice. A feed that
	// is killed is a fault for both destinations, a frozen broker for one.
	var both, mqtt, blob int
	after := func(least, most time.Duration) { <-time.After(least + time.Duration(random.Int64N(int64(most-least)))) }
	var frozen sync.WaitGroup
	freeze := func(pause, resume func()) {
		pause()
		frozen.Go(func() {
			<-time.After(3 * patience)
			resume()
		})
	}
	kill := func() {
		p.feed.kill()
		p.feed.start()
		both++
	}
	faults := []func(){
		kill, kill, kill, kill,
		func() { node.CloseConnections(t); both++ },
		func() { node.CloseConnections(t); both++ },
		func() { node.Stop(); node.Start(); both++ },
		func() { freeze(broker.Pause, broker.Resume); mqtt++ },
		func() { freeze(blobs.Pause, blobs.Resume); blob++ },
	}
	random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	for _, fault := range faults {
		after(time.Second, testenv.Amount(3*time.Second, 6*time.Second))
		fault()
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	frozen.Wait()
	p.await("MQTT", p.mqtt, uint64(n), 3*time.Minute)
	testenv.Eventually(t, 2*time.Minute, "the blobs to hold everything", func() bool { return p.blobs().Distinct() >= uint64(n) })
	for _, queue := range []string{"telemetry", "archive"} {
		testenv.Eventually(t, time.Minute, "queue "+queue+" to be empty", func() bool {
			messages, _, err := node.Queue(queue)
			return err == nil && messages == 0
		})
	}
	p.feed.checkAccounts()
	if code, took := p.feed.terminate(); code != 0 || took > drained {
		t.Errorf("exit code %d after %v", code, took)
	}
	allowed := p.factory.Republished
	t.Logf("%d faults; the factory published %d readings again", len(faults), allowed)
	if v := p.expect("MQTT", p.mqtt, allowed+uint64((both+mqtt)*window)); v.Disordered > allowed {
		t.Errorf("MQTT: %d first occurrences came after a later one of their device; the factory explains %d", v.Disordered, allowed)
	}
	p.expect("blobs", p.blobs(), allowed+uint64((both+blob)*window))
	if p.feed.peakRSS > maxRSS {
		t.Errorf("peak RSS %d kB, want at most %d", p.feed.peakRSS, maxRSS)
	}
}
