package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

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
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
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
	var ne net.Error
	return !errors.As(err, &ne) || !ne.Timeout()
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
	r := newRig(t, rigOptions{})
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
	impatient := newRig(t, rigOptions{timeouts: Timeouts{Read: 100 * time.Millisecond}})
	c = impatient.dial()
	if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	if got := impatient.answerOn(c); got.status != 503 || got.code() != "slow_body" || got.header.Get("Retry-After") == "" {
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
	r := newRig(t, rigOptions{Options: Options{InFlight: 1 << 20}, timeouts: Timeouts{Read: patience}})
	for range 50 {
		c := r.dial()
		if _, err := io.WriteString(c, "POST /in/makini HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\nx"); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, func() bool { return r.h.bodies.held.Load() == 50*largestReuse })
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
	r := newRig(t, rigOptions{timeouts: Timeouts{ReadHeader: time.Second, Idle: time.Second}})
	n := 100
	if os.Getenv("TIDEMARK_LONG") == "1" {
		n = 2000
	}
	conns := make([]net.Conn, n)
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

// TestSenderThatReadsLate: many senders read no answer before they have sent everything.
func TestSenderThatReadsLate(t *testing.T) {
	r := newRig(t, rigOptions{bound: [2]int{10, 10}})
	for path, want := range map[string]int{"/in/makini": 413, "/in/nobody": 404} {
		c := r.dial()
		if _, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 12582912\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		for range 12 {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				t.Fatalf("%s: the connection breaks before the sender can hear why: %v", path, err)
			}
		}
		if got := r.answerOn(c); got.status != want {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
	}
}

// TestBodyOfAnUnknownOutcomeIsLeftAlone: a log that gave up waiting may still
// be writing the body, so no other request may get its memory.
func TestBodyOfAnUnknownOutcomeIsLeftAlone(t *testing.T) {
	p := &bodies{most: 1 << 20}
	buf, err := p.get()
	if err != nil {
		t.Fatal(err)
	}
	if err := buf.fill(strings.NewReader("first"), 5, 100); err != nil {
		t.Fatal(err)
	}
	p.put(buf, false)
	if p.held.Load() != 0 {
		t.Errorf("%d bytes held", p.held.Load())
	}
	for range 100 {
		if other, err := p.get(); err != nil || other == buf {
			t.Fatalf("the buffer is used again (%v)", err)
		}
	}

	// A log that keeps the body of each append that failed in an unknown way.
	log := &keeper{}
	h, err := New(Options{Log: log, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Sources: []Source{
		{Name: "a", MaxBody: 1000, Verify: func(providers.Request, time.Time) (string, error) { return "none", nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		body := fmt.Sprintf("body %03d", i)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("POST", "/in/a", strings.NewReader(body)))
		if rec.Code != 503 {
			t.Fatalf("status %d", rec.Code)
		}
	}
	for i, b := range log.bodies {
		if want := fmt.Sprintf("body %03d", i); string(b) != want {
			t.Fatalf("the log still reads body %d and finds %q in it", i, b)
		}
	}
}

// keeper fails every append and goes on reading the bodies.
type keeper struct{ bodies [][]byte }

func (k *keeper) Append(_ context.Context, e eventstore.Event) (eventstore.Receipt, error) {
	k.bodies = append(k.bodies, e.Body)
	return eventstore.Receipt{}, fmt.Errorf("%w: no answer in time", eventstore.ErrUnavailable)
}

// TestManyLargeBodiesAtOnce is row 21 of the fault matrix: 413 for 200 senders of 10 MB
// at once takes next to no memory.
func TestManyLargeBodiesAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("short: 250 MB through loopback")
	}
	r := newRig(t, rigOptions{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak atomic.Int64
	body := make([]byte, 5<<18)
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
