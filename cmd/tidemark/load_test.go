package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidemark-dev/tidemark/api"
)

// ack is one webhook that was answered 200.
type ack struct{ event, delivery, connection string }

// load is a stream of webhooks by many senders, each with an id of its own,
// and what of it was acknowledged.
type load struct {
	sent atomic.Int64

	mu    sync.Mutex
	acked []ack
	// reached is closed when that many are acknowledged.
	goal    int
	reached chan struct{}
}

const (
	loadSenders     = 64
	loadConnections = 40
)

// newLoad returns a load whose reached channel closes at goal acknowledgements.
func newLoad(goal int) *load { return &load{goal: goal, reached: make(chan struct{})} }

// run sends from that many senders until ctx ends or most are sent (0: no bound). An answer other than 200, or
// none, is not counted: nobody was promised anything.
func (l *load) run(ctx context.Context, base string, most int64) {
	var senders sync.WaitGroup
	for range loadSenders {
		senders.Go(func() {
			for ctx.Err() == nil {
				n := l.sent.Add(1)
				if most > 0 && n > most {
					return
				}
				l.send(ctx, base, n)
			}
		})
	}
	senders.Wait()
}

func (l *load) send(ctx context.Context, base string, n int64) {
	a := ack{delivery: fmt.Sprintf("wh_%d", n), connection: fmt.Sprintf("conn/%d", n%loadConnections)}
	body := fmt.Appendf(nil, `{"id":%q,"event_type":"sync.failed","timestamp":%d,"connection_id":%q,"data":{"error":{"code":"X","message":"%0400d"}}}`,
		a.delivery, 1_767_225_600+n, a.connection, n)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/in/makini", bytes.NewReader(body))
	if err != nil {
		panic(err) // the URL is our own
	}
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write(body)
	req.Header.Set("X-Makini-Signature", hex.EncodeToString(mac.Sum(nil)))
	resp, err := testClient.Do(req)
	if err != nil {
		return
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	var got struct{ ID string }
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(answer, &got) != nil {
		return
	}
	a.event = got.ID
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, a)
	if len(l.acked) == l.goal {
		close(l.reached)
	}
}

// acknowledged is a copy of what was acknowledged by now.
func (l *load) acknowledged() []ack {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]ack(nil), l.acked...)
}

// stored reads every timeline of the server: how often each event stands on one, by
// connection and by the event's id.
func stored(t testing.TB, base string) map[ack]int {
	t.Helper()
	got := map[ack]int{}
	for c := range loadConnections {
		id := fmt.Sprintf("conn/%d", c)
		cursor := ""
		for {
			var page api.Page[api.Entry]
			at := base + "/v1/connections/makini/" + url.PathEscape(id) + "/events?limit=500" + cursor
			err := getJSON(at, &page)
			if errors.Is(err, errNotFound) {
				break // no event of this connection is stored
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Items {
				got[ack{event: e.Event, connection: id}]++
				if e.Deliveries != 1 {
					t.Errorf("event %s counts %d deliveries and was sent once", e.Event, e.Deliveries)
				}
			}
			if page.Next == nil {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(*page.Next)
		}
	}
	return got
}

// missing returns what was acknowledged and does not stand exactly once where it belongs.
func missing(acked []ack, got map[ack]int) []ack {
	var out []ack
	for _, a := range acked {
		if got[ack{event: a.event, connection: a.connection}] != 1 {
			out = append(out, a)
		}
	}
	return out
}

// checkEvents looks each acknowledged event up by its id.
func checkEvents(t testing.TB, base string, acked []ack) {
	t.Helper()
	var next atomic.Int64
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(acked) {
					return
				}
				a := acked[i]
				var e api.Event
				if err := getJSON(base+"/v1/events/"+a.event, &e); err != nil {
					t.Errorf("acknowledged and not there: %v", err)
					continue
				}
				if e.Observation == nil || e.Observation.DeliveryID != a.delivery || e.Connection != a.connection {
					t.Errorf("event %s was acknowledged for %s of %s, and is %+v", a.event, a.delivery, a.connection, e)
				}
			}
		})
	}
	readers.Wait()
}
