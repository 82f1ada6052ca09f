package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

var update = flag.Bool("update", false, "write the golden files anew")

// day is when the tests' events are received.
var day = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// rig is a server over a real directory and a log in memory.
type rig struct {
	*Handler
	t         testing.TB
	log       *memstore.Store
	db        *kv.DB
	projector *projections.Projector
	server    *httptest.Server
	logged    *lockedBuffer
	entropy   uint64
}

// newRig starts a server with the source makini.
func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, log: memstore.New(), logged: new(lockedBuffer)}
	definition, err := providers.Load("makini")
	if err != nil {
		t.Fatal(err)
	}
	if r.db, err = kv.Open(t.TempDir(), kv.Options{}); err != nil {
		t.Fatal(err)
	}
	if r.projector, err = projections.NewProjector(r.db, map[string]*providers.Definition{"makini": definition}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.projector.Close(); err != nil {
			t.Error(err)
		}
		if err := r.db.Close(); err != nil { // Pebble complains of a view left open
			t.Error(err)
		}
	})
	o := Options{
		View:    func() (*projections.View, error) { return projections.NewView(r.db) },
		Log:     r.log,
		Ready:   func(context.Context) []Component { return []Component{{Name: "acceptance"}, {Name: "projection"}} },
		Sources: func() []string { return []string{"makini", "spare"} },
		Version: "test",
		Now:     time.Now,
		Logger:  slog.New(slog.NewTextHandler(r.logged, nil)),
	}
	for _, c := range change {
		c(&o)
	}
	r.Handler = New(o)
	r.server = httptest.NewServer(r.Handler)
	t.Cleanup(r.server.Close)
	return r
}

// event makes a webhook of the source makini, received so long after day.
func (r *rig) event(after time.Duration, body string) eventstore.Event {
	r.entropy++
	e := eventstore.Event{
		Source: "makini", ReceivedAt: day.Add(after), Verified: "hmac", Body: []byte(body),
		Headers: []eventstore.Header{{Name: "User-Agent", Value: "makini/1 <b>"}},
	}
	if err := e.ID.SetTime(ulid.Timestamp(e.ReceivedAt)); err != nil {
		r.t.Fatal(err)
	}
	e.ID[14], e.ID[15] = byte(r.entropy>>8), byte(r.entropy)
	return e
}

// store puts events into the log as one group without applying them.
func (r *rig) store(events ...eventstore.Event) eventstore.Position { return r.log.AppendGroup(events) }

// apply applies all that is stored.
func (r *rig) apply() {
	r.t.Helper()
	ctx := context.Background()
	head, err := r.log.Head(ctx)
	for p := eventstore.Position(r.projector.Checkpoint().Position) + 1; err == nil && p <= head; p++ {
		var g eventstore.Group
		if g, err = r.log.At(ctx, p); err == nil {
			err = r.projector.Add(&g)
		}
	}
	if err == nil {
		err = r.projector.Commit()
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// add stores events as one group and applies it.
func (r *rig) add(events ...eventstore.Event) {
	r.t.Helper()
	r.store(events...)
	r.apply()
}

// webhook is a makini body.
func webhook(id, kind, at, connection, data string) string {
	m := map[string]any{"id": id, "event_type": kind, "connection_id": connection}
	if at != "" {
		m["timestamp"] = at
	}
	if data != "" {
		m["data"] = json.RawMessage(data)
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// send asks the server for a path exactly as written, past everything that
// would tidy it up, and returns the answer with its whole body.
func (r *rig) send(method, path string, header ...string) (*http.Response, string) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	host := "Host: 127.0.0.1\r\n"
	extra := ""
	for _, h := range header {
		if len(h) > 5 && h[:5] == "Host:" {
			host = h + "\r\n"
		} else {
			extra += h + "\r\n"
		}
	}
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\n%s%sConnection: close\r\n\r\n", method, path, host, extra); err != nil {
		r.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res, string(b)
}

// get asks for a path and decodes what must be a 200.
func get200[T any](r *rig, path string) T {
	r.t.Helper()
	var v T
	res, b := r.send("GET", path)
	if res.StatusCode != 200 {
		r.t.Fatalf("GET %s: %d %s", path, res.StatusCode, b)
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(b)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		r.t.Fatalf("GET %s: %v in %s", path, err, b)
	}
	return v
}

// golden compares JSON, written over several lines, with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(got), "", "  "); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Errorf("%s differs at line %d (if it should, run go test ./api -update):\n got %s\nwant %s", path, i+1, gotLines[i], wantLines[i])
			return
		}
	}
	if len(gotLines) != len(wantLines) {
		t.Errorf("%s has %d lines, want %d", path, len(gotLines), len(wantLines))
	}
}

// lockedBuffer is a log that handlers write while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
