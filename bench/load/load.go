// Package load sends webhooks to a server and times the answers.
//
// Guarantee: a latency runs from just before the request is written until the
// last byte of its answer is read; only a 200 counts as acknowledged; every
// side is driven by the same code. It speaks as much HTTP/1.1 as the measured
// servers answer with (a Content-Length, keep-alive) and fails on anything else.
//
// Flow: main starts it in a process of its own, so the client's processor time
// is never taken for the server's.
package load

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidemark-dev/tidemark/bench/stats"
	"github.com/tidemark-dev/tidemark/bench/webhook"
)

// Load is a closed loop by default: each sender waits for its answer before it
// sends the next webhook, as fast as the server lets it.
type Load struct {
	Addr     string
	Senders  int
	Requests *webhook.Requests `json:"-"`
	// Rate, when not zero, opens the loop: so many webhooks a second are due
	// whatever the server does, and a latency runs from the moment the webhook
	// was due, so a server that falls behind cannot hide it.
	Rate int
	// Warm is how long the load runs before anything is counted, For how long it counts.
	Warm, For time.Duration
	// Again, in a closed loop, sends the requests anew when they run out. Only a server that stores
	// nothing may be sent a webhook twice; otherwise the load ends early.
	Again bool
	// All ends the load when every request was answered, whatever For says.
	All bool
	// Stop, if not nil, ends the load when it is closed.
	Stop <-chan struct{} `json:"-"`
}

// Result is what one load met.
type Result struct {
	// Seconds is the time that was counted, Acknowledged the 200s within it.
	Seconds      float64       `json:"seconds"`
	Acknowledged int           `json:"acknowledged"`
	PerSecond    float64       `json:"per_second"`
	Latency      stats.Latency `json:"latency"`
	// Total counts the 200s outside the counted time too, Sent the requests.
	Total int `json:"total"`
	Sent  int `json:"sent,omitempty"`
	// Refused counts the other answers by status.
	Refused map[int]int `json:"refused,omitempty"`
	// Answers are a few bodies of 200s, spread over the run, to look up afterwards.
	Answers []string `json:"answers,omitempty"`
	// ClientCPU is the processor time of the load itself per second of it, in cores.
	ClientCPU float64 `json:"client_cpu"`
}

// keepEvery is how many acknowledgements pass between two kept answers.
const keepEvery = 9_973

// keepAtMost bounds how many are kept.
const keepAtMost = 20

// sender is one keep-alive connection.
type sender struct {
	fd   int
	sent time.Duration
	in   []byte
}

// Run puts the load on the server from a single thread: one epoll and raw
// system calls cost the machine half of what goroutines do, and whatever the
// client uses the server lacks.
func (l Load) Run() (Result, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return Result{}, fmt.Errorf("epoll: %w", err)
	}
	defer unix.Close(epoll)
	senders := make([]*sender, l.Senders)
	for i := range senders {
		fd, err := dial(l.Addr)
		if err != nil {
			return Result{}, err
		}
		defer unix.Close(fd)
		senders[i] = &sender{fd: fd, in: make([]byte, 0, 4096)}
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return Result{}, fmt.Errorf("epoll: %w", err)
		}
	}
	r := run{Load: l, start: time.Now(), result: Result{Refused: map[int]int{}}}
	r.latencies = make([]time.Duration, 0, l.Requests.Len())
	cpu := cpuTime()
	if err := r.drive(epoll, senders); err != nil {
		return r.result, err
	}
	r.result.ClientCPU = (cpuTime() - cpu).Seconds() / time.Since(r.start).Seconds()
	r.finish()
	return r.result, nil
}

// run is the state of a Load under way.
type run struct {
	Load
	start     time.Time
	next      int
	latencies []time.Duration
	// first and last frame the counted acknowledgements.
	first, last time.Duration
	// heard is when the last answer came.
	heard  time.Duration
	result Result
}

// drive sends and receives until nothing is to be sent and nothing waited for.
func (r *run) drive(epoll int, senders []*sender) error {
	r.first = r.Warm
	idle := slices.Clone(senders)
	events := make([]unix.EpollEvent, len(senders))
	for {
		for len(idle) > 0 && r.due() {
			// The one that was idle longest: servers close a connection on which nothing comes.
			if err := r.send(idle[0]); err != nil {
				return err
			}
			idle = idle[1:]
		}
		if len(idle) == len(senders) && r.over() {
			return nil
		}
		n, err := unix.EpollWait(epoll, events, r.patience())
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("epoll: %w", err)
		}
		if waiting := len(senders) - len(idle); waiting > 0 && time.Since(r.start)-r.heard > silence {
			return fmt.Errorf("%s has not answered any of %d senders for %v", r.Addr, waiting, silence)
		}
		for _, event := range events[:max(n, 0)] {
			s := senders[event.Fd]
			done, err := r.receive(s)
			if err != nil {
				return err
			}
			// The next request goes out at once, not behind the other answers.
			if done && r.due() {
				if err := r.send(s); err != nil {
					return err
				}
			} else if done {
				idle = append(idle, s)
			}
		}
	}
}

// silence is how long a load goes on without any answer.
const silence = 10 * time.Second

// patience is how long epoll may wait, in milliseconds: an open loop has
// requests to send while nothing arrives.
func (r *run) patience() int {
	if r.Rate > 0 {
		return 1
	}
	return 1000
}

// over reports that no request is to be sent any more.
func (r *run) over() bool {
	if r.next == r.Requests.Len() && !r.Again {
		return true
	}
	select {
	case <-r.Stop: // nil is never ready
		return true
	default:
	}
	return !r.All && time.Since(r.start) >= r.Warm+r.For
}

// due reports that a request is to be sent now.
func (r *run) due() bool {
	if r.over() {
		return false
	}
	return r.Rate == 0 || time.Since(r.start) >= r.dueAt(r.next)
}

func (r *run) dueAt(n int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(r.Rate)
}

// send writes the next request.
func (r *run) send(s *sender) error {
	if r.next == r.Requests.Len() {
		r.next = 0
	}
	request := r.Requests.At(r.next)
	s.sent = time.Since(r.start)
	if r.Rate > 0 {
		s.sent = r.dueAt(r.next)
	}
	r.next++
	n, err := unix.Write(s.fd, request)
	if err != nil {
		return fmt.Errorf("sending to %s: %w", r.Addr, err)
	}
	if n != len(request) {
		return fmt.Errorf("sending to %s: %d of %d B fit the socket's buffer", r.Addr, n, len(request))
	}
	return nil
}

// receive reads what has come and reports whether the answer is whole.
func (r *run) receive(s *sender) (bool, error) {
	if len(s.in) == cap(s.in) {
		return false, fmt.Errorf("an answer of %s is longer than %d B", r.Addr, cap(s.in))
	}
	n, err := unix.Read(s.fd, s.in[len(s.in):cap(s.in)])
	if errors.Is(err, unix.EAGAIN) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading from %s: %w", r.Addr, err)
	}
	if n == 0 {
		return false, fmt.Errorf("%s closed a connection that was to be kept alive", r.Addr)
	}
	s.in = s.in[:len(s.in)+n]
	status, body, whole, err := parse(s.in)
	if err != nil || !whole {
		return false, err
	}
	now := time.Since(r.start)
	r.heard = now
	r.count(status, body, s.sent, now)
	s.in = s.in[:0]
	return true, nil
}

func (r *run) count(status int, body []byte, sent, now time.Duration) {
	if status != 200 {
		r.result.Refused[status]++
		return
	}
	if r.result.Total%keepEvery == 0 && len(r.result.Answers) < keepAtMost {
		r.result.Answers = append(r.result.Answers, string(body))
	}
	r.result.Total++
	if now >= r.Warm && (r.All || now < r.Warm+r.For) {
		r.latencies = append(r.latencies, now-sent)
		r.last = now
	}
}

func (r *run) finish() {
	counted := r.last - r.first
	r.result.Acknowledged, r.result.Sent = len(r.latencies), r.next
	if counted > 0 {
		r.result.Seconds = counted.Seconds()
		r.result.PerSecond = float64(len(r.latencies)) / counted.Seconds()
	}
	r.result.Latency = stats.Summarise(r.latencies)
}
