package ingest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore"
)

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
