package e2e_test

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// archiveYAML writes a stream to files by device and hour.
const archiveYAML = `
name: plant
admin: {address: ADMIN}
log: {format: text, level: info}
drainTimeout: 15s
quarantine: {path: QUARANTINE}
routes:
  archive:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: readings
        declare: {type: stream}
    sink:
      blob: {url: "file://DIR", path: "{meta.device}/{date}/{hour}", exactlyOnce: true}
    batch: {maxMessages: 500, maxDelay: 50ms}
`

// streamArchive is a stream of readings and the directory that they go to.
type streamArchive struct {
	t     *testing.T
	vhost *testenv.Vhost
	dir   string
	seen  map[string][sha256.Size]byte // hashes of files by name, when they were first seen
}

// newWriter returns a feed that writes the archive, as another process.
func (a *streamArchive) newWriter() *feedProcess {
	a.t.Helper()
	yaml := strings.NewReplacer("DIR", a.dir, "QUARANTINE", filepath.Join(a.t.TempDir(), "quarantine.db")).Replace(archiveYAML)
	return newFeed(a.t, yaml, "AMQP_URL="+a.vhost.URL())
}

// dial opens a channel on a connection of its own.
func (a *streamArchive) dial() (*amqp091.Connection, *amqp091.Channel, error) {
	conn, err := amqp091.Dial(a.vhost.URL())
	if err != nil {
		return nil, nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, ch, nil
}

// declare declares the stream as the feed does.
func (a *streamArchive) declare() {
	a.t.Helper()
	testenv.DeclareQueue(a.t, a.vhost.URL(), "readings", "stream", nil)
}

// writing reports whether a range is being written: whoever comes next must
// finish it.
func (a *streamArchive) writing() bool {
	a.t.Helper()
	raw, err := os.ReadFile(filepath.Join(a.dir, ".checkpoint", "plant-archive.json"))
	if err != nil {
		a.t.Fatal(err)
	}
	var checkpoint struct{ Intent *struct{ First uint64 } }
	if err := json.Unmarshal(raw, &checkpoint); err != nil {
		a.t.Fatal(err)
	}
	return checkpoint.Intent != nil
}

// awaitWriting returns as soon as a range is being written, or when there will
// be no more.
func (a *streamArchive) awaitWriting(end <-chan struct{}) {
	a.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !a.writing() {
		select {
		case <-tick.C:
		case <-end:
			return
		}
	}
}

// publish publishes the readings from to to-1, of eight devices, spread over
// the given time, and returns when the broker has confirmed them.
func (a *streamArchive) publish(from, to int, over time.Duration) error {
	conn, ch, err := a.dial()
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // all is confirmed
	if err := ch.Confirm(false); err != nil {
		return err
	}
	begin := time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	start, confirms := time.Now(), []*amqp091.DeferredConfirmation(nil)
	for n := from; n < to; {
		due := to
		if over > 0 {
			due = min(to, from+int(float64(to-from)*float64(time.Since(start))/float64(over)))
		}
		for ; n < due; n++ {
			c, err := ch.PublishWithDeferredConfirm("", "readings", true, false, amqp091.Publishing{
				DeliveryMode: amqp091.Persistent, Body: fmt.Appendf(nil, `{"n":%d}`, n),
				Timestamp: begin.Add(time.Duration(n) * time.Second), Headers: amqp091.Table{"device": fmt.Sprint("d", n%8)},
			})
			if err != nil {
				return err
			}
			confirms = append(confirms, c)
		}
		<-tick.C
	}
	for _, c := range confirms {
		if !c.Wait() {
			return errors.New("the broker refused a reading")
		}
	}
	return nil
}

// rangeName takes the name of a file apart: generation, first and last offset.
var rangeName = regexp.MustCompile(`^readings-(\d+)-(\d+)-(\d+)-\d+\.ndjson\.gz$`)

// look remembers the hashes of new files, and fails the test when one that was
// seen before has changed.
func (a *streamArchive) look() {
	a.t.Helper()
	err := filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && os.IsNotExist(err):
			return nil // a temporary file
		case err != nil || d.IsDir() || !strings.HasSuffix(path, ".gz"):
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(raw)
		if before, ok := a.seen[path]; ok && before != sum {
			a.t.Errorf("%s has changed", path)
		}
		a.seen[path] = sum
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

// expect checks that a generation holds the readings from to to-1, each in one
// file, and that the names of its files follow each other without a hole.
func (a *streamArchive) expect(generation, from, to int) {
	a.t.Helper()
	a.look()
	files, ranges := map[int][]string{}, map[[2]int]bool{}
	for path := range a.seen {
		m := rangeName.FindStringSubmatch(filepath.Base(path))
		if m == nil {
			a.t.Fatalf("what is %s?", path)
		}
		if m[1] != strconv.Itoa(generation) {
			continue
		}
		first, _ := strconv.Atoi(m[2])
		last, _ := strconv.Atoi(m[3])
		ranges[[2]int{first, last}] = true
		for _, n := range a.readings(path) {
			files[n] = append(files[n], path)
		}
	}
	missing, twice := 0, 0
	for n := from; n < to; n++ {
		switch len(files[n]) {
		case 0:
			missing++
		case 1:
		default:
			if twice++; twice == 1 {
				a.t.Errorf("reading %d is in %v", n, files[n])
			}
		}
	}
	if missing > 0 || twice > 0 || len(files) != to-from {
		a.t.Errorf("generation %d: of %d readings %d are missing and %d are there more than once; %d different ones are there",
			generation, to-from, missing, twice, len(files))
	}
	next := 0
	for _, r := range slices.SortedFunc(maps.Keys(ranges), func(a, b [2]int) int { return a[0] - b[0] }) {
		if r[0] != next {
			a.t.Errorf("generation %d: a range begins at %d, want %d", generation, r[0], next)
		}
		next = r[1] + 1
	}
	a.t.Logf("generation %d: %d readings in %d ranges, %d files in all", generation, len(files), len(ranges), len(a.seen))
}

// readings returns the numbers of the readings in a file, and checks that they
// belong there.
func (a *streamArchive) readings(path string) []int {
	a.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		a.t.Fatal(err)
	}
	rel, err := filepath.Rel(a.dir, path)
	if err != nil {
		a.t.Fatal(err)
	}
	var all []int
	for lines := bufio.NewScanner(z); lines.Scan(); {
		var r struct{ N int }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			a.t.Fatalf("%s: %v", path, err)
		}
		at := time.Date(2026, 11, 21, 6, 0, r.N, 0, time.UTC)
		if want := fmt.Sprintf("d%d/%s/", r.N%8, at.Format("2006-01-02/15")); !strings.HasPrefix(rel, want) {
			a.t.Errorf("reading %d is in %s, want it below %s", r.N, rel, want)
		}
		all = append(all, r.N)
	}
	if _, err := io.Copy(io.Discard, z); err != nil {
		a.t.Fatalf("%s: %v", path, err)
	}
	return all
}

// awaitCommitted waits until a feed has stored the stream up to an offset.
func awaitCommitted(t *testing.T, p *feedProcess, generation uint64, offset int64) feed.OffsetStatus {
	t.Helper()
	var last feed.OffsetStatus
	testenv.Eventually(t, time.Minute, fmt.Sprintf("generation %d to be stored up to offset %d", generation, offset), func() bool {
		s, err := p.status()
		if err == nil && s.Routes[0].Offsets != nil {
			last = *s.Routes[0].Offsets
		}
		return last.Generation == generation && last.Committed == offset
	})
	return last
}

// TestExactlyOnceFromAStream kills the feed again and again while it writes a
// stream to files, at random moments and within a range; lets a second writer take over while the
// first one is frozen; and declares the stream anew, twice.
func TestExactlyOnceFromAStream(t *testing.T) {
	t.Parallel() // it waits most of the time
	n, kills, random := testenv.Amount(10_000, 30_000), testenv.Amount(12, 50), testenv.Random(t)
	a := &streamArchive{t: t, vhost: testenv.RabbitMQ(t), dir: t.TempDir(), seen: map[string][sha256.Size]byte{}}
	p := a.newWriter()
	p.start()
	p.ready() // the stream is declared
	published, all := make(chan error, 1), make(chan struct{})
	go func() {
		published <- a.publish(0, n, testenv.Amount(7*time.Second, 25*time.Second))
		close(all)
	}()
	begun := 0
	for i := range kills {
		<-time.After(time.Duration(random.Int64N(int64(700 * time.Millisecond))))
		if i%2 == 0 {
			a.awaitWriting(all)
		}
		p.kill()
		a.look()
		if a.writing() {
			begun++
		}
		p.start()
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	awaitCommitted(t, p, 1, int64(n)-1)
	a.expect(1, 0, n)
	t.Logf("%d of %d kills came while a range was being written", begun, kills)
	if begun == 0 {
		t.Error("no kill came while a range was being written: the test proves little")
	}

	// A second writer takes over while the first one is frozen in the middle of
	// its work; that one goes on later, as a virtual machine does that was moved.
	go func() { published <- a.publish(n, n+3000, 2*time.Second) }()
	<-time.After(500*time.Millisecond + time.Duration(random.Int64N(int64(time.Second))))
	a.freeze(p)
	other := a.newWriter()
	other.start()
	other.ready()
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	awaitCommitted(t, other, 1, int64(n)+3000-1)
	p.signal(syscall.SIGCONT)
	if err := a.publish(n+3000, n+4000, 0); err != nil {
		t.Fatal(err)
	}
	if code, log := p.exit(time.Minute); code == 0 || !strings.Contains(log, feed.ErrFenced.Error()) {
		t.Errorf("the older writer ended with code %d, and no word of the other one", code)
	}
	awaitCommitted(t, other, 1, int64(n)+4000-1)
	other.checkAccounts()
	a.expect(1, 0, n+4000)

	if code, _ := other.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	// A stream that is shorter than what was stored: it is declared anew by the
	// feed, and empty.
	a.vhost.DeleteQueue(t, "readings")
	p.start()
	testenv.Eventually(t, time.Minute, "a new generation", func() bool {
		s, err := p.status()
		return err == nil && s.Ready && s.Routes[0].Offsets.Renewed == 1
	})
	if err := a.publish(n+4000, n+5000, 0); err != nil {
		t.Fatal(err)
	}
	awaitCommitted(t, p, 2, 999)
	p.checkAccounts()
	if code, _ := p.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	// One that has grown beyond it meanwhile.
	a.vhost.DeleteQueue(t, "readings")
	a.declare()
	if err := a.publish(n+5000, n+6500, 0); err != nil {
		t.Fatal(err)
	}
	p.start()
	awaitCommitted(t, p, 3, 1499)
	p.checkAccounts()
	if code, _ := p.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	a.expect(1, 0, n+4000)
	a.expect(2, n+4000, n+5000)
	a.expect(3, n+5000, n+6500)
}

// freeze stops a feed, but not while it holds the lock of the checkpoint: that
// would keep the next one waiting until it goes on.
func (a *streamArchive) freeze(p *feedProcess) {
	a.t.Helper()
	testenv.Eventually(a.t, time.Minute, "the feed to be stopped without the lock", func() bool {
		p.signal(syscall.SIGSTOP)
		testenv.Eventually(a.t, time.Minute, "the feed to be stopped", p.stopped)
		lock, err := os.Open(filepath.Join(a.dir, ".checkpoint", "plant-archive.json.lock"))
		if err != nil {
			a.t.Fatal(err)
		}
		defer lock.Close()
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			p.signal(syscall.SIGCONT)
			return false
		}
		return true
	})
}

func (p *feedProcess) signal(s syscall.Signal) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%v: %v", s, err)
	}
}

// stopped reports whether SIGSTOP has taken effect.
func (p *feedProcess) stopped() bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, state, found := strings.Cut(string(raw), ") ")
	return err == nil && found && state[0] == 'T'
}

// exit waits until the process ends by itself and returns its exit code and
// what it has logged.
func (p *feedProcess) exit(patience time.Duration) (code int, log string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	overdue := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	err := p.cmd.Wait()
	if !overdue.Stop() {
		p.t.Fatalf("the feed did not end by itself within %v: %v", patience, err)
	}
	code = p.cmd.ProcessState.ExitCode()
	p.cmd = nil
	return code, p.log.String()
}
