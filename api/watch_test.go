package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
)

// watchRig is a rig whose projector tells a hub of that memory.
func watchRig(t testing.TB, memory int, change ...func(*Options)) *rig {
	hub := projections.NewHub(memory)
	r := newRig(t, append(change, func(o *Options) { o.Hub = hub })...)
	r.projector.Hub = hub
	t.Cleanup(r.Drain) // before the server is closed, which waits for watches
	return r
}

// put adds one event to each connection, all at one position.
func (r *rig) put(kind string, connections ...string) {
	var group []eventstore.Event
	for _, c := range connections {
		at := time.Duration(r.entropy) * time.Second
		group = append(group, r.event(at, webhook(fmt.Sprint("put", r.entropy), kind, day.Add(at).Format(time.RFC3339), c, "")))
	}
	r.add(group...)
}

// block is one block of server-sent events: an event, or an id or a comment alone.
type block struct{ id, event, data, comment string }

// stream reads a watch the way a browser does.
type stream struct {
	t      testing.TB
	cancel context.CancelFunc
	body   io.ReadCloser
	lines  *bufio.Reader
	// last is the id of the last whole block that had one.
	last string
}

// patience is how long anything may take on a busy machine: only what never comes uses it up.
const patience = 2 * time.Minute

func openWatch(t testing.TB, url, last string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("%s: %d %v", url, res.StatusCode, res.Header)
	}
	t.Cleanup(cancel)
	return &stream{t: t, cancel: cancel, body: res.Body, lines: bufio.NewReader(res.Body), last: last}
}

func (s *stream) close() {
	s.cancel()
	_ = s.body.Close()
}

// block returns the next one, or why there is none.
func (s *stream) block() (b block, err error) {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return b, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n":
			if b.id != "" {
				s.last = b.id
			}
			return b, nil
		case name == "":
			b.comment = value
		case name == "id":
			b.id = value
		case name == "event":
			b.event = value
		case name == "data":
			b.data += value
		}
	}
}

// state returns the next state, past blocks without one.
func (s *stream) state() (State, string) {
	s.t.Helper()
	for {
		b, err := s.block()
		if err != nil {
			s.t.Fatal(err)
		}
		if b.event == "state" {
			var v State
			if err := json.Unmarshal([]byte(b.data), &v); err != nil {
				s.t.Fatalf("%v in %s", err, b.data)
			}
			return v, b.id
		}
		if b.event != "" {
			s.t.Fatalf("%+v", b)
		}
	}
}

func TestWatch(t *testing.T) {
	r := watchRig(t, 0)
	r.put("connection.offline", "before")
	s := openWatch(t, r.server.URL+"/v1/watch", "")
	if b, err := s.block(); err != nil || b != (block{id: "1"}) {
		t.Fatalf("begins with %+v, %v; want the id to come back with", b, err)
	}
	r.put("connection.online", "a")
	if v, id := s.state(); v.Connection != "a" || v.Health != "healthy" || v.Position != 2 || id != "2" {
		t.Errorf("%+v with the id %q", v, id)
	}
	r.put("connection.offline", "a", "b", "c")
	var got []string
	for range 3 {
		v, id := s.state()
		got = append(got, v.Connection+" "+v.Health+" "+id)
	}
	slices.Sort(got[:2])
	// Whoever is cut off between them has to be told all of position 3 again.
	if len(got) != 3 || strings.Count(strings.Join(got, ","), " 3") != 1 || !strings.HasSuffix(got[2], " 3") {
		t.Errorf("three that share a position: %q", got)
	}
	want := get200[State](r, "/v1/connections/makini/a")
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	s = openWatch(t, r.server.URL+"/v1/watch?last_event_id=0&q=a", "")
	if v, _ := s.state(); !sameJSON(t, v, b) {
		t.Errorf("the state is %+v, and in a watch %+v", want, v)
	}
	if res, body := r.send("HEAD", "/v1/watch"); res.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %d", res.StatusCode)
	}
	for _, bad := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		if p, _ := problemAt(t, r, "GET", "/v1/watch?last_event_id="+bad, 400, CodeInvalidParameter); !strings.Contains(p.Detail, "must be a position") {
			t.Errorf("%s: %q", bad, p.Detail)
		}
		problemAt(t, r, "GET", "/v1/watch?last_event_id=1", 400, CodeInvalidParameter, "Last-Event-ID: "+bad)
	}
	problemAt(t, r, "GET", "/v1/watch?heath=failing", 400, CodeUnknownParameter)
}

func sameJSON(t *testing.T, v any, want []byte) bool {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) == string(want)
}

func TestWatchFilters(t *testing.T) {
	r := watchRig(t, 0)
	for query, want := range map[string][]string{
		"":                                  {"ab online", "ac offline", "b online"},
		"?q=a":                              {"ab online", "ac offline"},
		"?health=offline":                   {"ac offline"},
		"?health=offline&health=healthy":    {"ab online", "ac offline", "b online"},
		"?q=a&health=healthy&source=makini": {"ab online"},
		"?source=other":                     nil,
	} {
		s := openWatch(t, r.server.URL+"/v1/watch"+query, "")
		if _, err := s.block(); err != nil {
			t.Fatal(err)
		}
		r.put("connection.offline", "ac")
		r.put("connection.online", "ab", "b")
		r.put("connection.disconnected", "end", "aend") // seen by those who ask for everything
		var got []string
		for len(got) < len(want) {
			v, _ := s.state()
			got = append(got, v.Connection+" "+v.Connectivity.Value)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
		s.close()
	}
}

// A client whose connection is cut again and again, at any byte, and that comes
// back with its last id as browsers do, ends up with every state, whether the hub
// remembers what it missed or the connections are looked through, and whether or not
// it was too slow at times.
func TestNothingIsLostOverReconnects(t *testing.T) {
	for name, c := range map[string]struct{ memory, chunk, scan int }{
		"remembered":     {10_000, 256, 1000},
		"in parts":       {10_000, 4, 1000},
		"looked through": {1, 3, 5},
		"both":           {12, 4, 7},
	} {
		t.Run(name, func(t *testing.T) {
			r := watchRig(t, c.memory)
			r.watching = watching{keepAlive: 30 * time.Millisecond, life: time.Minute, chunk: c.chunk, scan: c.scan}
			rng := rand.New(rand.NewPCG(uint64(c.memory), 1))
			kinds := []string{"connection.online", "connection.offline", "sync.failed", "connection.auth_required"}
			puts := 0
			burst := func() { // a few positions at once, a few connections in each
				for range rng.IntN(4) {
					var group []string
					for range 1 + rng.IntN(12) {
						group = append(group, fmt.Sprintf("c%03d", rng.IntN(600)))
					}
					r.put(kinds[rng.IntN(len(kinds))], group...)
					puts++
				}
			}
			seen, last := map[string]State{}, "0"
			reconnects := 0
			for finished := false; !finished; reconnects++ {
				finished = puts > 100
				burst()
				s := openWatch(t, r.server.URL+"/v1/watch", last)
				cut := &io.LimitedReader{R: s.body, N: rng.Int64N(25_000)}
				if finished {
					cut.N = 1 << 30
				}
				s.lines = bufio.NewReader(cut)
				for before := uint64(0); ; {
					b, err := s.block()
					if err != nil || b.event == "error" {
						break
					}
					if b.event == "state" {
						var v State
						if err := json.Unmarshal([]byte(b.data), &v); err != nil {
							t.Fatal(err)
						}
						seen[v.Connection] = v
					}
					var id uint64
					if _, err := fmt.Sscan(b.id, &id); err == nil {
						if id < before {
							t.Fatalf("id %d comes after %d", id, before)
						}
						before = id
					}
					if finished && b.comment == "keep-alive" {
						break
					}
					if !finished && rng.IntN(6) == 0 {
						burst()
					}
				}
				last = s.last
				s.close()
			}
			list, _ := follow[State](r, "/v1/connections", url.Values{"limit": {"500"}}, nil)
			for _, want := range list {
				if got := seen[want.Connection]; got.Position != want.Position || got.Counts != want.Counts || got.Health != want.Health {
					t.Errorf("after %d reconnects %s is %s at %d to the client; it is %s at %d", reconnects, want.Connection, got.Health, got.Position, want.Health, want.Position)
				}
			}
			if len(seen) != len(list) || reconnects < 3 {
				t.Errorf("%d connections seen of %d, over %d reconnects", len(seen), len(list), reconnects)
			}
		})
	}
}

// A client that has seen more than is applied, because the projections are made
// anew, is told what they arrive at.
func TestWatchFromAheadOfTheServer(t *testing.T) {
	r := watchRig(t, 0)
	r.put("connection.online", "a")
	s := openWatch(t, r.server.URL+"/v1/watch", "90")
	if b, err := s.block(); err != nil || b.event != "" {
		t.Fatalf("%+v %v", b, err)
	}
	r.put("connection.offline", "b")
	if v, id := s.state(); v.Connection != "b" || id != "2" {
		t.Errorf("%+v with the id %s", v, id)
	}
}

func TestWatchKeepsAlive(t *testing.T) {
	r := watchRig(t, 0)
	r.watching.keepAlive = 10 * time.Millisecond
	s := openWatch(t, r.server.URL+"/v1/watch?q=x", "")
	if b, err := s.block(); err != nil || b.id != "0" {
		t.Fatalf("%+v %v", b, err)
	}
	r.put("connection.online", "a") // nothing for this client, but its id goes on
	for s.last != "1" {
		if b, err := s.block(); err != nil || b.comment != "keep-alive" || b.data != "" {
			t.Fatalf("%+v %v", b, err)
		}
	}
}
