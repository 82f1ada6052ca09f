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
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/api"
)

// outage is a NATS server out of reach while many senders send, each one webhook at a time, again and
// again until it is answered 200, as a provider does.
type outage struct {
	t    *testing.T
	base string
	from atomic.Int64 // when it began, in unix ns; 0: it is not on

	sent    atomic.Int64
	refused atomic.Int64

	mu      sync.Mutex
	acked   []ack
	slowest time.Duration // of the refusals
}

const (
	outageSenders = 32
	// outagePause lies between two requests of a sender.
	outagePause = 100 * time.Millisecond
	// refusalLimit is how long a refusal may take: the 5 s of an append, and what a busy machine adds.
	refusalLimit = 20 * time.Second
	// quick is what is less than any wait for NATS takes.
	quick = 2 * time.Second
)

// send sends new webhooks until ctx ends, the last of them too until it is acknowledged.
func (o *outage) send(ctx context.Context) {
	pause := time.NewTicker(outagePause)
	defer pause.Stop()
	for ctx.Err() == nil {
		n := o.sent.Add(1)
		a := ack{delivery: fmt.Sprintf("wh_%d", n), connection: fmt.Sprintf("conn/%d", n%loadConnections)}
		body := fmt.Appendf(nil, `{"id":%q,"event_type":"sync.failed","timestamp":%d,"connection_id":%q,"data":{"error":{"code":"X","message":"%0400d"}}}`,
			a.delivery, 1_767_225_600+n, a.connection, n)
		for !o.deliver(a, body) && !o.t.Failed() {
			<-pause.C
		}
		<-pause.C
	}
}

// deliver sends a webhook once, and holds the answer to what is promised. It says whether it was a 200.
func (o *outage) deliver(a ack, body []byte) bool {
	req, err := http.NewRequest(http.MethodPost, o.base+"/in/makini", bytes.NewReader(body))
	if err != nil {
		panic(err) // the URL is our own
	}
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write(body)
	req.Header.Set("X-Makini-Signature", hex.EncodeToString(mac.Sum(nil)))
	began, from := time.Now(), o.from.Load()
	resp, err := testClient.Do(req)
	if err != nil {
		o.t.Errorf("a webhook is not answered: %v", err)
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	took := time.Since(began)
	var got struct{ ID, Code string }
	if err == nil {
		err = json.Unmarshal(answer, &got)
	}
	if err != nil {
		o.t.Errorf("answer %q: %v", answer, err)
		return false
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if from != 0 && o.from.Load() == from {
			o.t.Errorf("a webhook that came while NATS was away was answered 200: %s", answer)
		}
		a.event = got.ID
		o.mu.Lock()
		defer o.mu.Unlock()
		o.acked = append(o.acked, a)
		return true
	case http.StatusServiceUnavailable:
		o.refused.Add(1)
		if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || after < 1 || after > 60 {
			o.t.Errorf("Retry-After is %q", resp.Header.Get("Retry-After"))
		}
		if got.Code != "unavailable" || strings.Contains(string(answer), "127.0.0.1") {
			o.t.Errorf("the answer is %s", answer)
		}
		if took > refusalLimit {
			o.t.Errorf("a refusal took %s", took)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.slowest = max(o.slowest, took)
	default:
		o.t.Errorf("answered %d %s", resp.StatusCode, answer)
	}
	return false
}

// getOn waits for some more acknowledgements.
func (o *outage) getOn() {
	o.t.Helper()
	count := func() int {
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.acked)
	}
	from := count()
	o.until("webhooks are acknowledged", func() bool { return count() >= from+200 })
}

func (o *outage) until(what string, holds func() bool) {
	o.t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			o.t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// watch asks the server, for as long as the outage is to last, how it is. What needs nothing of NATS is
// answered at once; since the machine may be busy, not every time.
func (o *outage) watch(last time.Duration) {
	o.t.Helper()
	o.until("/readyz says that webhooks are not accepted", func() bool {
		code, said := readyz(o.t, o.base)
		return code == http.StatusServiceUnavailable && strings.Contains(said, "acceptance")
	})
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	fastest := map[string]time.Duration{"/livez": time.Hour, "/v1/connections/makini/conn%2F1": time.Hour, "/metrics": time.Hour}
	for end := time.Unix(0, o.from.Load()).Add(last); time.Now().Before(end) && !o.t.Failed(); <-tick.C {
		if code, said := readyz(o.t, o.base); code != http.StatusServiceUnavailable {
			o.t.Errorf("/readyz: %d %s, while no webhook is accepted", code, said)
		}
		for path := range fastest {
			began := time.Now()
			resp, err := testClient.Get(o.base + path)
			if err != nil {
				o.t.Errorf("%s: %v", path, err)
				continue
			}
			_ = resp.Body.Close()
			fastest[path] = min(fastest[path], time.Since(began))
			if resp.StatusCode != http.StatusOK {
				o.t.Errorf("%s: %d, though it needs nothing of NATS", path, resp.StatusCode)
			}
		}
	}
	for path, took := range fastest {
		if took > quick {
			o.t.Errorf("%s takes %s at best, though it needs nothing of NATS", path, took)
		}
	}
}

// check holds that every webhook that was sent is acknowledged, and stands once on its timeline.
func (o *outage) check() {
	o.t.Helper()
	if err := awaitApplied(o.base, patience); err != nil {
		o.t.Fatal(err)
	}
	if sent := int(o.sent.Load()); len(o.acked) != sent {
		o.t.Errorf("%d webhooks were sent, and %d acknowledged in the end", sent, len(o.acked))
	}
	entries := map[string]int{}
	for c := range loadConnections {
		id := fmt.Sprintf("conn/%d", c)
		for cursor := ""; ; {
			var page api.Page[api.Entry]
			if err := getJSON(o.base+"/v1/connections/makini/"+url.PathEscape(id)+"/events?limit=500"+cursor, &page); err != nil {
				o.t.Fatal(err)
			}
			for _, e := range page.Items {
				entries[id+" "+e.Detail.Message]++ // the message is another in every webhook
			}
			if page.Next == nil {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(*page.Next)
		}
	}
	for _, a := range o.acked {
		var n int
		if _, err := fmt.Sscanf(a.delivery, "wh_%d", &n); err != nil {
			o.t.Fatal(err)
		}
		if times := entries[fmt.Sprintf("%s %0400d", a.connection, n)]; times != 1 {
			o.t.Fatalf("webhook %s was acknowledged and stands %d times on the timeline", a.delivery, times)
		}
	}
	if len(entries) != len(o.acked) {
		o.t.Errorf("%d entries on timelines of %d webhooks", len(entries), len(o.acked))
	}
	checkEvents(o.t, o.base, o.acked)
	o.t.Logf("%d webhooks, %d refusals, the slowest after %s", len(o.acked), o.refused.Load(), o.slowest)
}

// TestOutage takes the NATS server away for a minute (less where TIDEMARK_LONG is not set) while webhooks come:
// killed, so that connections are refused, and stopped, so that they hang.
func TestOutage(t *testing.T) {
	for _, c := range []struct {
		name       string
		last       time.Duration // where there is little time
		says       string        // what the log has to say of it
		away, back func(*natsProcess)
	}{
		{"killed", 3 * time.Second, "connection to the log's server is back", (*natsProcess).stop, func(n *natsProcess) { n.serve("log") }},
		{"stopped", 7 * time.Second, "a commit group was given up", // longer than an append waits
			func(n *natsProcess) { suspend(n.t, n.cmd.Process) }, func(n *natsProcess) { n.signal(syscall.SIGCONT) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			if long {
				c.last = time.Minute
			}
			nats := newNATS(t)
			nats.serve("log")
			dir := t.TempDir()
			writeConfig(t, dir, "nats: {url: \"nats://"+nats.addr+"\"}\n")
			s := mustStart(t, dir)
			o := &outage{t: t, base: s.url}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var senders sync.WaitGroup
			for range outageSenders {
				senders.Go(func() { o.send(ctx) })
			}
			o.getOn()
			o.until("there is a state to ask for", func() bool {
				var state api.State
				return getJSON(s.url+"/v1/connections/makini/conn%2F1", &state) == nil
			})
			c.away(nats)
			o.from.Store(time.Now().UnixNano())
			o.watch(c.last)
			o.from.Store(0)
			c.back(nats)
			o.getOn()
			o.until("/readyz says that all is well", func() bool {
				code, _ := readyz(t, s.url)
				return code == http.StatusOK
			})
			stop()
			senders.Wait()
			o.check()
			if said := s.stderr(); !strings.Contains(said, c.says) {
				t.Errorf("the log does not say %q: %s", c.says, said)
			}
		})
	}
}

// suspend stops a process and waits until it stands still: the signal alone comes back while the
// process's threads are still at work.
func suspend(t *testing.T, p *os.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	for {
		switch _, err := syscall.Wait4(p.Pid, &status, syscall.WUNTRACED, nil); {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			t.Fatal(err)
		case !status.Stopped():
			t.Fatalf("the process ended when it was to stand still: %#x", int(status))
		default:
			return
		}
	}
}

func (n *natsProcess) signal(sig syscall.Signal) {
	if err := n.cmd.Process.Signal(sig); err != nil {
		n.t.Error(err)
	}
}
