package ingest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// refuseAll is a scheme that nobody passes.
func refuseAll(providers.Request, time.Time) (string, error) { return "", providers.ErrBadSignature }

func (r *rig) replace(sources ...Source) {
	r.Helper()
	t, err := r.h.Table(sources)
	if err != nil {
		r.Fatal(err)
	}
	r.h.Replace(t)
}

func TestReplace(t *testing.T) {
	r := newRig(t, rigOptions{})
	body := []byte(strings.Repeat("x", 1500))
	for path, want := range map[string]int{"/in/makini": 200, "/in/small": 413, "/in/new": 404} {
		if got := r.post(path, body); got.status != want {
			t.Errorf("before: %s answers %d, want %d", path, got.status, want)
		}
	}
	r.replace(
		Source{Name: "small", Verify: verifyHMAC, Headers: []string{"X-More"}, MaxBody: 2 << 20},
		Source{Name: "new", Verify: refuseAll, MaxBody: 1 << 20},
	)
	for path, want := range map[string]int{"/in/makini": 404, "/in/small": 200, "/in/new": 401} {
		if got := r.post(path, body); got.status != want {
			t.Errorf("after: %s answers %d, want %d", path, got.status, want)
		}
	}
	e := r.accepted(r.post("/in/small", zip(t, bytes.Repeat(body, 1000)), "Content-Encoding", "gzip", "X-More", "kept", "X-Kept", "no"))
	if len(e.Body) != 1500*1000 || len(e.Headers) != 1 || e.Headers[0].Value != "kept" {
		t.Errorf("a body of %d bytes with %v is stored", len(e.Body), e.Headers)
	}
	// A table that is wrong is none, and what is in force stays.
	for _, bad := range [][]Source{
		{{Name: "No", Verify: verifyHMAC, MaxBody: 1}},
		{{Name: "a", Verify: verifyHMAC, MaxBody: 1}, {Name: "a", Verify: verifyHMAC, MaxBody: 1}},
		{{Name: "a", MaxBody: 1}},
		{{Name: "a", Verify: verifyHMAC}},
		{{Name: "a", Verify: verifyHMAC, MaxBody: 1, Headers: []string{"Cookie"}}},
	} {
		if _, err := r.h.Table(bad); err == nil {
			t.Errorf("a table of %+v", bad)
		}
	}
	r.accepted(r.post("/in/small", body))
}

// A request that began before ends with the source that it began with.
func TestReplaceUnderWay(t *testing.T) {
	r := newRig(t, rigOptions{})
	body := []byte(strings.Repeat("y", 800))
	from, to := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, "http://"+r.addr+"/in/small", from)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["X-Sig"] = []string{sign(body)}
	answered := make(chan error, 1)
	var resp *http.Response
	go func() {
		var err error
		resp, err = http.DefaultTransport.RoundTrip(req)
		answered <- err
	}()
	if _, err := to.Write(body[:400]); err != nil {
		t.Fatal(err)
	}
	for r.h.bodies.held.Load() == 0 { // until the handler reads the body
		runtime.Gosched()
	}
	r.replace(Source{Name: "small", Verify: refuseAll, MaxBody: 10})
	if got := r.post("/in/small", body); got.status != 413 {
		t.Errorf("a request that begins behind it: %d", got.status)
	}
	if _, err := to.Write(body[400:]); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	r.accepted(r.read(resp))
}

// Senders that are let in before and after are let in all the while.
func TestReplaceUnderLoad(t *testing.T) {
	r := newRig(t, rigOptions{})
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for n := range 4 {
		senders.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				body := fmt.Appendf(nil, "%d of %d", i, n)
				if got := r.post("/in/makini", body); got.status != 200 {
					t.Errorf("answer %d %s", got.status, got.body)
					return
				}
			}
		})
	}
	for i := range 200 {
		r.replace(Source{Name: "makini", Verify: verifyHMAC, MaxBody: 1<<20 + int64(i)})
		before := len(r.log.all())
		for len(r.log.all()) == before && !t.Failed() {
			runtime.Gosched()
		}
	}
	close(stop)
	senders.Wait()
}
