package blob

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// azureConfig writes to a container through addr, which may be a proxy's.
func azureConfig(c *testenv.Container, addr string) Config {
	cfg := DefaultConfig()
	cfg.ConnectionString = feed.NewSecret(c.ConnectionStringAt(addr))
	cfg.Container = c.ContainerName
	cfg.TryTimeout = 10 * time.Second
	cfg.Compression = Plain // so that sizes are known
	return cfg
}

// noise returns a JSON payload of about n bytes that no compression makes
// much smaller.
func noise(seed uint64, n int) string {
	raw := make([]byte, n*3/4)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = r.Read(raw) // never fails
	return `"` + base64.StdEncoding.EncodeToString(raw) + `"`
}

func TestAzure(t *testing.T) {
	server := testenv.Azurite(t)
	for _, c := range []Compression{Plain, Gzip, Zstd} {
		t.Run(string(c), func(t *testing.T) {
			cfg := azureConfig(server, server.Addr)
			cfg.Compression = c
			cfg.Path = string(c) + "/{meta.site}/{route}"
			s := openSink(t, cfg)
			if err := s.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			b := batch(msg(`{"n":1}`, "site", "a/b %"), msg(`{"n":2}`, "site", "a/b %"), msg(`3`, "site", "é"))
			for range 2 {
				if err := s.PublishBatch(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			got := contents(t, cfg, string(c)+"/")
			if len(got) != 2 {
				t.Fatalf("%d objects: %v", len(got), got)
			}
			for name, text := range got {
				switch {
				case strings.HasPrefix(name, string(c)+"/a%2Fb%20%25/archive-"):
					if text != "{\"n\":1}\n{\"n\":2}\n" {
						t.Errorf("%s holds %q", name, text)
					}
				case !strings.HasPrefix(name, string(c)+"/%C3%A9/archive-") || text != "3\n":
					t.Errorf("%s holds %q", name, text)
				}
			}
		})
	}
}

// Objects larger than a block are committed as a whole, and keep their hash.
func TestAzureBlocks(t *testing.T) {
	server := testenv.Azurite(t)
	cfg := azureConfig(server, server.Addr)
	cfg.BlockBytes = 64 * feed.KiB
	s := openSink(t, cfg)
	b := batch()
	for i := range 50 {
		b.Messages = append(b.Messages, msg(noise(uint64(i), 20_000)))
	}
	for range 2 {
		if err := s.PublishBatch(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	_, text := one(t, contents(t, cfg, ""))
	if n := strings.Count(text, "\n"); n != 50 {
		t.Errorf("%d lines", n)
	}
	r, err := NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for o, err := range r.Objects(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if o.SHA256 != contentHash([]byte(text)) || o.Messages != 50 || o.Bytes != int64(len(text)) {
			t.Errorf("listed as %+v", o)
		}
	}
	r.MaxBytes = 1000
	for o := range r.Objects(t.Context(), "") {
		rc, err := r.Read(t.Context(), o.Name)
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if _, err := buf.ReadFrom(rc); !errors.Is(err, ErrTooLarge) || buf.Len() != 1000 {
			t.Errorf("read %d bytes beyond the bound: %v", buf.Len(), err)
		}
		if err := rc.Close(); err != nil {
			t.Error(err)
		}
	}
}

// verdict is what happens to a request.
type verdict uint8

const (
	pass    verdict = iota
	lose            // not forwarded; the connection breaks
	forget          // forwarded; the connection breaks instead of an answer
	disturb         // forwarded; answered with a 500, as by a proxy in between
	delay           // forwarded; the answer comes after the client has given up
)

// front stands before a server and judges requests.
func front(t *testing.T, addr string, judge func(*http.Request) verdict) (frontAddr string) {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: addr}
	transport := &http.Transport{DisableKeepAlives: true}
	forward := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = addr },
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // clients give up on purpose
	}
	ctx := t.Context()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := judge(r)
		if v == lose {
			panic(http.ErrAbortHandler)
		}
		if v == pass {
			forward.ServeHTTP(w, r)
			return
		}
		forward.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
		switch v {
		case disturb:
			http.Error(w, "disturbed", http.StatusInternalServerError)
			return
		case delay:
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// step names the request of a write.
func step(r *http.Request) string {
	if r.Method == http.MethodPut {
		return "put " + r.URL.Query().Get("comp")
	}
	return r.Method
}

// Whatever happens to a request of a write, once or for a while, the object
// stands there once, and a call that returns nil has made it so.
func TestAzureFaults(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.Azurite(t)
	direct := azureConfig(server, server.Addr)
	for _, c := range []struct {
		name   string
		block  feed.Size
		step   string
		fault  verdict
		atOnce bool // the call resolves it by itself
	}{
		{"put lost", feed.MiB, "put ", lose, false},
		{"put answer lost", feed.MiB, "put ", forget, true},
		{"put answer disturbed", feed.MiB, "put ", disturb, true},
		{"put answer late", feed.MiB, "put ", delay, true},
		{"block lost", 64 * feed.KiB, "put block", lose, false},
		{"block answer lost", 64 * feed.KiB, "put block", forget, false},
		{"commit lost", 64 * feed.KiB, "put blocklist", lose, false},
		{"commit answer lost", 64 * feed.KiB, "put blocklist", forget, true},
		{"commit answer disturbed", 64 * feed.KiB, "put blocklist", disturb, true},
		{"commit answer late", 64 * feed.KiB, "put blocklist", delay, true},
	} {
		for _, blind := range []bool{false, true} { // blind: the look fails, too
			name := c.name
			if blind {
				name += ", and so is the look"
			}
			t.Run(name, func(t *testing.T) {
				var faults atomic.Int32
				var blindfold atomic.Bool
				blindfold.Store(blind)
				cfg := azureConfig(server, front(t, server.Addr, func(r *http.Request) verdict {
					switch {
					case step(r) == c.step && faults.Add(1) == 1:
						return c.fault
					case r.Method == http.MethodHead && blindfold.Load():
						return lose
					}
					return pass
				}))
				if c.fault == delay {
					cfg.TryTimeout = 2 * time.Second // long enough for what is not delayed
				}
				cfg.BlockBytes = c.block
				cfg.Path = url.PathEscape(strings.NewReplacer(" ", "_", ",", "").Replace(name)) + "/{hash}"
				prefix := strings.TrimSuffix(cfg.Path, "{hash}")
				s := openSink(t, cfg)
				b := batch(msg(noise(7, 200_000)))
				err := s.PublishBatch(t.Context(), b)
				if faults.Load() == 0 {
					t.Fatal("nothing was disturbed")
				}
				if want := c.atOnce && !blind; (err == nil) != want {
					t.Errorf("first try: %v, want success %v", err, want)
				}
				if feed.IsPermanent(err) {
					t.Errorf("err = %v, want a transient one", err)
				}
				if n := len(contents(t, direct, prefix)); err == nil && n != 1 {
					t.Errorf("success with %d objects", n)
				}
				blindfold.Store(false)
				if err := s.PublishBatch(t.Context(), b); err != nil {
					t.Errorf("second try: %v", err)
				}
				if _, text := one(t, contents(t, direct, prefix)); text != string(b.Messages[0].Payload)+"\n" {
					t.Errorf("%d bytes stored", len(text))
				}
			})
		}
	}
}

// The same on the level of TCP: the connection is reset before the answer.
func TestAzureAnswerCut(t *testing.T) {
	server := testenv.Azurite(t)
	proxy := testenv.Proxy(t, server.Addr)
	s := openSink(t, azureConfig(server, proxy.Addr))
	direct := azureConfig(server, server.Addr)
	b := batch(msg(noise(7, 200_000)))
	proxy.BlockReplies()
	done := make(chan error, 1)
	go func() { done <- s.PublishBatch(t.Context(), b) }()
	testenv.Eventually(t, time.Minute, "the blob is there", func() bool { return len(contents(t, direct, "")) == 1 })
	proxy.Cut()
	proxy.Unblock()
	if err := <-done; err != nil {
		t.Fatalf("publish: %v", err)
	}
	one(t, contents(t, direct, ""))
}

// Connections are reset all the time: every retry either succeeds or fails for
// now, and in the end all stands there once.
func TestAzureCutAtRandom(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.Azurite(t)
	proxy := testenv.Proxy(t, server.Addr)
	cfg := azureConfig(server, proxy.Addr)
	cfg.Path = "{meta.p}/{hash}"
	cfg.BlockBytes = 64 * feed.KiB
	s := openSink(t, cfg)

	stop := make(chan struct{})
	var cutter sync.WaitGroup
	var inRow atomic.Int64 // failures since something succeeded
	cutter.Go(func() {
		rng := testenv.Random(t)
		for {
			select {
			case <-stop:
				return
			// What takes longer than all pauses would never succeed.
			case <-time.After(time.Duration(1+rng.IntN(40)) * time.Millisecond * time.Duration(1+inRow.Load())):
				proxy.Cut()
			}
		}
	})
	want := map[string]int{}
	failures := 0
	for i := range 40 {
		b := batch()
		for j := range 6 {
			p := noise(uint64(i*6+j), 1000+20_000*(j%3))
			p = fmt.Sprintf(`{"n":%d,"x":%s}`, i*6+j, p)
			want[p+"\n"]++
			b.Messages = append(b.Messages, msg(p, "p", fmt.Sprint(j%3)))
		}
		for {
			err := s.PublishBatch(t.Context(), b)
			if err == nil {
				inRow.Store(0)
				break
			}
			failures++
			inRow.Add(1)
			var be *feed.BatchError
			if !errors.As(err, &be) || feed.IsPermanent(err) {
				t.Fatalf("err = %v, want transient failures", err)
			}
			rest := batch()
			for _, f := range be.Failures {
				rest.Messages = append(rest.Messages, b.Messages[f.Index])
			}
			b = rest
		}
	}
	close(stop)
	cutter.Wait()
	got := map[string]int{}
	for _, text := range contents(t, azureConfig(server, server.Addr), "") {
		for line := range strings.Lines(text) {
			got[line]++
		}
	}
	t.Logf("%d failed calls", failures)
	for line := range want {
		if got[line] != 1 {
			t.Errorf("%.20s… stands %d times", line, got[line])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d different lines, want %d", len(got), len(want))
	}
}

// A server that hangs costs a bounded time, and nothing once it goes on.
func TestAzureHangs(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.PrivateAzurite(t)
	cfg := azureConfig(server.Container, server.Addr)
	cfg.TryTimeout = 1500 * time.Millisecond
	cfg.Path = "{meta.p}/{hash}"
	s := openSink(t, cfg)
	b := batch()
	for i := range 40 {
		b.Messages = append(b.Messages, msg(fmt.Sprint(i), "p", fmt.Sprint(i)))
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	start := time.Now()
	err := s.PublishBatch(t.Context(), b)
	if took := time.Since(start); took > 10*cfg.TryTimeout {
		t.Errorf("publish took %v", took)
	}
	var be *feed.BatchError
	if !errors.As(err, &be) || len(be.Failures) != 40 || feed.IsPermanent(err) || !errors.Is(err, errTryTimeout) {
		t.Errorf("err = %v, want all to fail for now", err)
	}
	if err := s.Probe(t.Context()); err == nil {
		t.Error("the probe succeeds")
	}
	server.Resume()
	testenv.Eventually(t, time.Minute, "the probe succeeds", func() bool { return s.Probe(t.Context()) == nil })
	if err := s.PublishBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	all := contents(t, cfg, "")
	if len(all) != 40 {
		t.Errorf("%d objects, want 40", len(all))
	}
	server.Stop()
	err = s.PublishBatch(t.Context(), batch(msg(`"x"`)))
	if err == nil || feed.IsPermanent(err) || failureOf(err) != failUnavailable {
		t.Errorf("err = %v, want a refused connection", err)
	}
	server.Start()
	if err := s.PublishBatch(t.Context(), batch(msg(`"x"`))); err != nil {
		t.Error(err)
	}
}

func TestAzureContainerMissing(t *testing.T) {
	server := testenv.PrivateAzurite(t)
	cfg := azureConfig(server.Container, server.Addr)
	cfg.Container = "missing"
	s := openSink(t, cfg)
	if err := s.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "ContainerNotFound") {
		t.Errorf("probe: %v", err)
	}
	err := s.PublishBatch(t.Context(), batch(msg(`1`)))
	if err == nil || feed.IsPermanent(err) || !strings.Contains(err.Error(), "ContainerNotFound") {
		t.Errorf("publish: %v", err)
	}
	cfg.Azure.CreateContainer = true
	s = openSink(t, cfg)
	if err := s.PublishBatch(t.Context(), batch(msg(`1`))); err != nil {
		t.Fatal(err)
	}
	one(t, contents(t, cfg, ""))
}

// sasURL returns a container's URL with a SAS of the given rights.
func sasURL(t *testing.T, c *testenv.Container, rights sas.ContainerPermissions, until time.Time) string {
	t.Helper()
	key, err := blob.NewSharedKeyCredential(c.AccountName, c.AccountKey)
	if err != nil {
		t.Fatal(err)
	}
	q, err := sas.BlobSignatureValues{
		Protocol: sas.ProtocolHTTPSandHTTP, ExpiryTime: until, ContainerName: c.ContainerName, Permissions: rights.String(),
	}.SignWithSharedKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return c.ServiceURL + "/" + c.ContainerName + "?" + q.Encode()
}

// The documented rights are enough; an expired SAS is transient, never
// printed, and a new one is read from its file.
func TestAzureSAS(t *testing.T) {
	server := testenv.Azurite(t)
	rights := sas.ContainerPermissions{Read: true, Create: true, Write: true}
	file := filepath.Join(t.TempDir(), "sas")
	write := func(until time.Time) (signature string) {
		text := sasURL(t, server, rights, until)
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u.Query().Get("sig")
	}
	signature := write(time.Now().Add(-time.Hour))
	cfg := DefaultConfig()
	var err error
	if cfg.URL, err = feed.ParseURL("${file:"+file+"}", os.LookupEnv); err != nil {
		t.Fatal(err)
	}
	s := openSink(t, cfg)
	for _, err := range []error{s.PublishBatch(t.Context(), batch(msg(`1`))), s.Probe(t.Context())} {
		if err == nil || feed.IsPermanent(err) || !strings.Contains(err.Error(), "403") {
			t.Errorf("err = %v, want a refusal", err)
		}
		checkSecret(t, signature, err)
	}
	write(time.Now().Add(time.Hour))
	for range 2 { // the second finds that it exists
		if err := s.PublishBatch(t.Context(), batch(msg(`1`))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	direct := azureConfig(server, server.Addr)
	one(t, contents(t, direct, ""))
}

// checkSecret looks for a secret in all forms of an error.
func checkSecret(t *testing.T, secret string, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) || strings.Contains(text, "sig=") {
				t.Errorf("the secret is printed: %s", text)
			}
		}
	}
}

// Errors of the network quote the URL, and with it the SAS.
func TestAzureErrorsHideSAS(t *testing.T) {
	proxy := testenv.Proxy(t, "127.0.0.1:1")
	refused := testenv.Proxy(t, "127.0.0.1:1")
	refused.Refuse()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connects, and nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	const signature = "c2VjcmV0c2VjcmV0"
	for name, host := range map[string]string{
		"reset": proxy.Addr, "refused": refused.Addr, "no such host": "nowhere.invalid", "silent": silent.Addr().String(),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.TryTimeout = 300 * time.Millisecond
			cfg.URL = feed.NewURL("http://" + host + "/account/container?sv=2025-01-05&sr=c&sig=" + signature)
			s := openSink(t, cfg)
			for _, err := range []error{s.PublishBatch(t.Context(), batch(msg(`1`))), s.Probe(t.Context())} {
				if err == nil || feed.IsPermanent(err) {
					t.Errorf("err = %v, want a transient one", err)
				}
				checkSecret(t, signature, err)
			}
			if text := fmt.Sprintf("%v %+v %s", cfg, cfg, cfg.Writes()); strings.Contains(text, signature) {
				t.Errorf("the configuration prints the secret: %s", text)
			}
		})
	}
}

// A blob that somebody has put in the place of ours is never replaced.
func TestAzureContentMismatch(t *testing.T) {
	server := testenv.Azurite(t)
	cfg := azureConfig(server, server.Addr)
	s := openSink(t, cfg)
	if err := s.PublishBatch(t.Context(), batch(msg(`1`))); err != nil {
		t.Fatal(err)
	}
	name, _ := one(t, contents(t, cfg, ""))
	opts := &container.ClientOptions{}
	opts.Transport = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	c, err := container.NewClientFromConnectionString(server.ConnectionString(), server.ContainerName, opts)
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string) {
		if _, err := c.NewBlockBlobClient(name).UploadBuffer(t.Context(), []byte(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	put("2\n")
	if err := s.PublishBatch(t.Context(), batch(msg(`1`))); !errors.Is(err, ErrContentMismatch) {
		t.Errorf("err = %v", err)
	}
	if got := contents(t, cfg, "")[name]; got != "2\n" {
		t.Errorf("the blob was replaced: %q", got)
	}
	put("1\n") // ours, copied without its metadata
	if err := s.PublishBatch(t.Context(), batch(msg(`1`))); err != nil {
		t.Error(err)
	}
}

// The buffer of an object is used again at once: a body must not be read after
// its request has returned.
func TestBodyRevoked(t *testing.T) {
	b := newBody([]byte("secret of another object"))
	p := make([]byte, 6)
	if n, err := b.Read(p); n != 6 || err != nil {
		t.Fatal(n, err)
	}
	b.revoke()
	if n, err := b.Read(p); n != 0 || !errors.Is(err, errRevoked) {
		t.Errorf("read %d bytes after the end: %v", n, err)
	}
	if _, err := b.Seek(0, 0); !errors.Is(err, errRevoked) {
		t.Errorf("seek: %v", err)
	}
}
