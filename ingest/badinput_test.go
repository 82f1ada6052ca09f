package ingest

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/tidemark-dev/tidemark/eventstore"
)

func zip(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zst compresses as a stream, as most senders do: the frame does not say its
// size, and names a window far larger than the body.
func zst(t testing.TB, b []byte, o ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, append([]zstd.EOption{zstd.WithEncoderConcurrency(1)}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		n := min(len(b), 1<<20)
		if _, err := w.Write(b[:n]); err != nil {
			t.Fatal(err)
		}
		b = b[n:]
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zstAll compresses in one go: the frame says its size.
func zstAll(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

func TestEncodings(t *testing.T) {
	r := newRig(t, rigOptions{})
	noise := make([]byte, 1<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	noise = noise[:len(noise)-1000] // what is not compressible grows a little
	full := bytes.Repeat([]byte("abcdefgh"), 1<<17)
	for _, c := range []struct {
		name, encoding string
		raw, want      []byte
	}{
		{"gzip", "gzip", zip(t, []byte("hello")), []byte("hello")},
		{"gzip by its other name, in capitals", "X-GZip", zip(t, []byte("hello")), []byte("hello")},
		{"gzip of nothing", "gzip", zip(t, nil), nil},
		{"nothing at all", "gzip", nil, nil},
		{"gzip in two members", "gzip", append(zip(t, []byte("hel")), zip(t, []byte("lo"))...), []byte("hello")},
		{"gzip of exactly the limit", "gzip", zip(t, full), full},
		{"gzip of noise", "gzip", zip(t, noise), noise},
		{"zstd as a stream", "zstd", zst(t, []byte("hello")), []byte("hello")},
		{"zstd in one go", "zstd", zstAll(t, []byte("hello")), []byte("hello")},
		{"zstd in two frames", "zstd", append(zst(t, []byte("hel")), zstAll(t, []byte("lo"))...), []byte("hello")},
		{"zstd of exactly the limit, size unsaid", "zstd", zst(t, full), full},
		{"zstd of exactly the limit, size said", "zstd", zstAll(t, full), full},
		{"zstd of noise", "zstd", zst(t, noise), noise},
		{"zstd with the largest window", "zstd", zst(t, []byte("hello"), zstd.WithWindowSize(8<<20)), []byte("hello")},
		{"identity", "identity", []byte("hello"), []byte("hello")},
		{"identity and gzip", "identity, gzip", zip(t, []byte("hello")), []byte("hello")},
	} {
		p := r.post("/in/makini", c.raw, "Content-Encoding", c.encoding)
		if p.status != 200 {
			t.Errorf("%s: %d %s", c.name, p.status, p.body)
			continue
		}
		e := r.accepted(p)
		if !bytes.Equal(e.Body, c.want) {
			t.Errorf("%s: stored %d bytes %.20q, want %d", c.name, len(e.Body), e.Body, len(c.want))
		}
		if len(e.Headers) != 0 {
			t.Errorf("%s: a decoded body keeps headers %v", c.name, e.Headers)
		}
	}
}

// TestSignatureIsOverTheRawBytes: the sender signs what it sends, compressed.
func TestSignatureIsOverTheRawBytes(t *testing.T) {
	r := newRig(t, rigOptions{})
	plain := []byte("hello")
	if got := r.request("POST", "/in/makini", bytes.NewReader(zip(t, plain)), "X-Sig", sign(plain), "Content-Encoding", "gzip"); got.status != 401 {
		t.Errorf("a signature over the decoded bytes: %d", got.status)
	}
	// A bomb is not unpacked for somebody who is not known.
	if got := r.request("POST", "/in/makini", bytes.NewReader(zip(t, make([]byte, 4<<20))), "Content-Encoding", "gzip"); got.status != 401 {
		t.Errorf("an unsigned bomb: %d", got.status)
	}
}

func TestUnknownEncodings(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, e := range []string{"br", "deflate", "compress", "gzip, gzip", "zstd, gzip", "gzip;q=1", "aes128gcm", "g\u017fip", strings.Repeat("gzip,", 1000)} {
		// Signed or not, the answer is the same, and given before the body is looked at.
		for _, sig := range []string{"x", sign([]byte("body"))} {
			if got := r.request("POST", "/in/makini", strings.NewReader("body"), "Content-Encoding", e, "X-Sig", sig); got.status != 415 || got.code() != "unknown_encoding" {
				t.Errorf("%.20q: %d %s, want 415", e, got.status, got.body)
			}
		}
	}
	if got := r.post("/in/makini", []byte("x"), "Content-Encoding", "gzip", "Content-Encoding", "zstd"); got.status != 415 {
		t.Errorf("two header lines: %d, want 415", got.status)
	}
}

func TestBombs(t *testing.T) {
	r := newRig(t, rigOptions{})
	big := make([]byte, 64<<20)
	many := bytes.Repeat(zip(t, make([]byte, 1<<10)), 1025)
	// A frame that claims 1 TiB in its header and holds nothing of it.
	liar := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 0x03, 0, 0x10, 0}
	for _, c := range []struct {
		name, encoding string
		raw            []byte
	}{
		{"gzip, 1000 to 1", "gzip", zip(t, big)},
		{"gzip, many members", "gzip", many},
		{"gzip, one byte over", "gzip", zip(t, big[:1<<20+1])},
		{"zstd as a stream", "zstd", zst(t, big)},
		{"zstd in one go", "zstd", zstAll(t, big)},
		{"zstd, one byte over", "zstd", zst(t, big[:1<<20+1])},
		{"zstd, one byte over, size said", "zstd", zstAll(t, big[:1<<20+1])},
		{"zstd that claims 1 TiB", "zstd", liar},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := r.post("/in/makini", c.raw, "Content-Encoding", c.encoding)
		runtime.ReadMemStats(&after)
		if got.status != 413 || got.code() != "too_large" {
			t.Errorf("%s: %d %s, want 413", c.name, got.status, got.body)
		}
		// All that was ever allocated, most of it garbage at once: zstd doubles up to maxWindow.
		if n := after.TotalAlloc - before.TotalAlloc; n > 8*maxWindow {
			t.Errorf("%s: %d MB allocated", c.name, n>>20)
		}
	}
	if n := len(r.log.all()); n != 0 {
		t.Errorf("%d bombs stored", n)
	}
}

// TestUndecodable: what is authentic is kept, whatever is wrong with it, with
// the header that says what it claims to be.
func TestUndecodable(t *testing.T) {
	r := newRig(t, rigOptions{})
	good := zip(t, bytes.Repeat([]byte("hello "), 100))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 1 // in the checksum
	for _, c := range []struct {
		name, encoding string
		raw            []byte
	}{
		{"no gzip at all", "gzip", []byte(`{"id":"1"}`)},
		{"gzip cut short", "gzip", good[:len(good)-9]},
		{"gzip with a wrong checksum", "gzip", flipped},
		{"gzip with something behind it", "gzip", append(bytes.Clone(good), "tail"...)},
		{"no zstd at all", "zstd", []byte(`{"id":"1"}`)},
		{"zstd cut short", "zstd", zst(t, bytes.Repeat([]byte("hello "), 100))[:20]},
		{"zstd with something behind it", "zstd", append(zstAll(t, []byte("x")), "tail"...)},
		{"zstd with a window beyond RFC 9659", "zstd", zst(t, []byte("x"), zstd.WithWindowSize(256<<20))},
		{"zstd with an unknown dictionary", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0x23, 0x07, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00}},
	} {
		e := r.accepted(r.post("/in/makini", c.raw, "Content-Encoding", c.encoding, "Content-Type", "a/b"))
		if !bytes.Equal(e.Body, c.raw) {
			t.Errorf("%s: stored %q, want the bytes as they came", c.name, e.Body)
		}
		if n := len(e.Headers); n != 2 || e.Headers[1] != (eventstore.Header{Name: "content-encoding", Value: c.encoding}) {
			t.Errorf("%s: headers %v", c.name, e.Headers)
		}
	}
	if n := r.counted(); n["makini stored_undecoded"] != 9 || len(n) != 1 {
		t.Errorf("counted %v", n)
	}
	// Packed twice and announced once is an ordinary body that happens to be gzip.
	if e := r.accepted(r.post("/in/makini", zip(t, good), "Content-Encoding", "gzip")); !bytes.Equal(e.Body, good) || len(e.Headers) != 0 {
		t.Errorf("nested gzip: %d bytes, %v", len(e.Body), e.Headers)
	}
}

func TestTenMegabytes(t *testing.T) {
	r := newRig(t, rigOptions{})
	big := make([]byte, 10<<20)
	if got := r.post("/in/makini", big); got.status != 413 || got.code() != "too_large" {
		t.Errorf("with a length: %d %s", got.status, got.body)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := r.request("POST", "/in/makini", io.MultiReader(bytes.NewReader(big)), "X-Sig", sign(big)); got.status != 413 {
		t.Errorf("chunked: %d %s", got.status, got.body)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d MB allocated for a body of 10 MB", n>>20)
	}
}

func (r *rig) dial() net.Conn {
	r.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		r.Fatal(err)
	}
	return c
}

// answerOn reads one answer from a raw connection.
func (r *rig) answerOn(c net.Conn) reply {
	r.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		r.Fatal(err)
	}
	return r.read(resp)
}

// ended reports whether the server has closed the connection.
func ended(c net.Conn) bool {
	_, err := io.Copy(io.Discard, c)
	ne, ok := err.(net.Error)
	return !ok || !ne.Timeout()
}

func TestEndlessChunks(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.dial()
	if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	chunk := fmt.Appendf(nil, "10000\r\n%s\r\n", make([]byte, 0x10000))
	var sent atomic.Int64
	go func() {
		for {
			n, err := c.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	got := r.answerOn(c)
	if got.status != 413 || !got.close {
		t.Errorf("%d, close %v; want 413 and close", got.status, got.close)
	}
	if !ended(c) {
		t.Error("the connection stays open")
	}
	waitFor(t, func() bool { return r.counted()["makini too_large"] == 1 })
}

func TestLengthThatLies(t *testing.T) {
	r := newRig(t, rigOptions{timeouts: Timeouts{Read: 100 * time.Millisecond}})
	// More than it sends, then it goes: nothing is stored.
	c := r.dial()
	if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nX-Sig: "+sign([]byte("abc"))+"\r\nContent-Length: 10\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := r.answerOn(c); got.status != 400 || got.code() != "interrupted" {
		t.Errorf("%d %s, want 400", got.status, got.body)
	}
	// More than it sends, and it stays: 503, since the slow one may be us.
	c = r.dial()
	if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	if got := r.answerOn(c); got.status != 503 || got.code() != "slow_body" || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s, want 503", got.status, got.body)
	}
	if !ended(c) {
		t.Error("the connection stays open")
	}
	// A chunk that is none.
	c = r.dial()
	if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"); err != nil {
		t.Fatal(err)
	}
	if got := r.answerOn(c); got.status != 400 {
		t.Errorf("%d %s, want 400", got.status, got.body)
	}
	// Less than it sends: the rest is another request, and no part of the body.
	c = r.dial()
	if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nX-Sig: "+sign([]byte("abc"))+"\r\nContent-Length: 3\r\n\r\nabcdef"); err != nil {
		t.Fatal(err)
	}
	if e := r.accepted(r.answerOn(c)); string(e.Body) != "abc" {
		t.Errorf("stored %q", e.Body)
	}
	if n := len(r.log.all()); n != 1 {
		t.Errorf("%d events stored, want the whole one", n)
	}
}

// TestALengthTakesNoMemory: what a sender says costs nothing until it sends it.
func TestALengthTakesNoMemory(t *testing.T) {
	r := newRig(t, rigOptions{Options: Options{InFlight: 4 << 20}, timeouts: Timeouts{Read: 5 * time.Second}})
	for range 50 {
		c := r.dial()
		if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\nx"); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, func() bool { return r.h.bodies.held.Load() >= 50*firstBuffer })
	r.accepted(r.post("/in/makini", []byte("x")))
}

func TestInFlightIsBounded(t *testing.T) {
	r := newRig(t, rigOptions{Options: Options{InFlight: 3 << 19}})
	body := bytes.Repeat([]byte("x"), 900<<10)
	release := r.log.hold(1)
	defer release()
	first := make(chan reply, 1)
	go func() { first <- r.post("/in/makini", body) }()
	r.log.inside.Wait()
	if got := r.post("/in/makini", body); got.status != 503 || got.code() != "busy" || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s, want 503", got.status, got.body)
	}
	release()
	r.accepted(<-first)
	r.accepted(r.post("/in/makini", body))
}

// TestSlowloris: senders that trickle their headers are cut off, and keep nobody else waiting.
func TestSlowloris(t *testing.T) {
	r := newRig(t, rigOptions{timeouts: Timeouts{ReadHeader: 300 * time.Millisecond, Idle: 300 * time.Millisecond}})
	conns := make([]net.Conn, 100)
	for i := range conns {
		conns[i] = r.dial()
		if _, err := io.WriteString(conns[i], "POST /in/makini HTTP/1.1\r\nHost: x\r\nX-"); err != nil {
			t.Fatal(err)
		}
	}
	r.accepted(r.post("/in/makini", []byte("x")))
	for i, c := range conns {
		if !ended(c) {
			t.Fatalf("slow connection %d stays open", i)
		}
	}
	if len(r.log.all()) != 1 {
		t.Error("something of them was stored")
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	r := newRig(t, rigOptions{bound: [2]int{8, 6}})
	var held []net.Conn
	for range 6 {
		held = append(held, r.dial())
	}
	open := func() float64 { return r.value("tidemark_http_connections") }
	waitFor(t, func() bool { return open() == 6 })
	// One more from this address is refused at once, and cheaply.
	for range 20 {
		c := r.dial()
		if got := r.answerOn(c); got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Fatalf("connection beyond the bound: %d", got.status)
		}
		if !ended(c) {
			t.Fatal("it stays open")
		}
	}
	if n := r.value("tidemark_http_connections_refused_total"); n != 20 {
		t.Errorf("%v refused, want 20", n)
	}
	// Another address still has room: two of the eight.
	other := func() net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		c, err := d.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	c := other()
	if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nX-Sig: "+sign(nil)+"\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r.accepted(r.answerOn(c))
	other()
	waitFor(t, func() bool { return open() == 8 })
	if got := r.answerOn(other()); got.status != 503 {
		t.Errorf("the ninth connection: %d", got.status)
	}
	// Room comes back.
	for _, c := range held {
		_ = c.Close()
	}
	waitFor(t, func() bool { return open() == 2 })
	r.accepted(r.post("/in/makini", []byte("x")))
}

func (r *rig) value(name string) float64 {
	r.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	r.Fatalf("no metric %s", name)
	return 0
}

// TestForeignHeaders: no name from outside becomes anything.
func TestForeignHeaders(t *testing.T) {
	r := newRig(t, rigOptions{})
	e := r.accepted(r.post("/in/makini", []byte("x"),
		"Nats-Msg-Id", "1", "Nats-Rollup", "all", "Nats-Expected-Last-Sequence", "1", "Ce-Id", "2", "Authorization", "Bearer "+canary, "Cookie", canary,
		"Webhook-Id", strings.Repeat("i", 20000), "X-Kept", "a\tb\u00e4\xff"))
	if len(e.Headers) != 2 || e.Headers[0].Name != "webhook-id" || len(e.Headers[0].Value) != maxValue ||
		e.Headers[1] != (eventstore.Header{Name: "X-Kept", Value: "a\tb\u00e4\xff"}) {
		t.Errorf("kept %.200q", e.Headers)
	}
	if got := r.post("/in/makini", []byte("x"), "X-Kept", strings.Repeat("h", 40<<10)); got.status != 431 {
		t.Errorf("40 kB of headers: %d, want 431", got.status)
	}
	// A line break in a header does not pass net/http.
	for _, h := range []string{"X-Kept: a\r\n b", "X-Kept: a\x00b", "X-Ke\npt: a", "X-Kept : a"} {
		c := r.dial()
		if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nX-Sig: "+sign(nil)+"\r\n"+h+"\r\nContent-Length: 0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got := r.answerOn(c); got.status == 200 {
			if e := r.accepted(got); len(e.Headers) > 0 && strings.ContainsAny(e.Headers[0].Value, "\r\n\x00") {
				t.Errorf("%q is kept as %q", h, e.Headers)
			}
		}
	}
	// And if it did, it would be a space.
	req := httptest.NewRequest("POST", "/in/makini", strings.NewReader("x"))
	req.Header = http.Header{"X-Sig": {sign([]byte("x"))}, "X-Kept": {"a\r\nNats-Rollup: all\x00\x1b[2J", "b"}}
	rec := httptest.NewRecorder()
	r.h.ServeHTTP(rec, req)
	if e := r.accepted(reply{rec.Code, rec.Header(), rec.Body.String(), false}); e.Headers[0].Value != "a  Nats-Rollup: all  [2J, b" {
		t.Errorf("kept %q", e.Headers)
	}
}

func TestContentEncodingCannotBeForged(t *testing.T) {
	list, err := allowList([]string{"Content-Encoding", "content-type", "X-A", "x-a"})
	if err != nil || len(list) != 2 || list[0].name != "content-type" || list[1].name != "X-A" {
		t.Errorf("allow-list %v, %v", list, err)
	}
}

func TestExpectContinue(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.dial()
	// Refused before a byte of the body is asked for.
	if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got := r.answerOn(c); got.status != 413 {
		t.Errorf("%d, want 413 and no 100", got.status)
	}
}

// TestManyLargeBodiesAtOnce is row 21 of the fault matrix: 413 for 200 senders of 10 MB
// at once takes next to no memory.
func TestManyLargeBodiesAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("short: 400 MB through loopback")
	}
	r := newRig(t, rigOptions{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak atomic.Int64
	body := make([]byte, 2<<20)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if got := r.request("POST", "/in/makini", bytes.NewReader(body)); got.status != 413 {
				t.Errorf("%d, want 413", got.status)
			}
			if n := r.h.bodies.held.Load(); n > peak.Load() {
				peak.Store(n)
			}
		})
	}
	wg.Wait()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > 16<<20 {
		t.Errorf("%d MB more heap afterwards", n>>20)
	}
	if peak.Load() > 2<<20 {
		t.Errorf("%d bytes of bodies held at once for bodies that are refused by their length", peak.Load())
	}
}
