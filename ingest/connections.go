package ingest

import (
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Connections bounds the connections that listeners accept, all together and
// from one address. A connection beyond is answered 503 and closed at once:
// one that waited in the kernel's queue would keep healthy senders waiting
// behind those that are slow on purpose. Safe for concurrent use.
type Connections struct {
	most, mostPerAddress int
	refused              prometheus.Counter

	mu   sync.Mutex
	open int
	from map[netip.Addr]int
}

// NewConnections returns a bound of most connections, mostPerAddress of them
// from one address (of IPv6, from one /64 network, which is what one customer gets).
func NewConnections(most, mostPerAddress int, reg prometheus.Registerer) (*Connections, error) {
	c := &Connections{
		most: most, mostPerAddress: mostPerAddress, from: map[netip.Addr]int{},
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_http_connections_refused_total",
			Help: "Connections closed at once because there were too many.",
		}),
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_http_connections",
		Help: "Open HTTP connections.",
	}, func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(c.open)
	})
	for _, m := range []prometheus.Collector{c.refused, open} {
		if err := reg.Register(m); err != nil {
			return nil, fmt.Errorf("register the metrics of connections: %w", err)
		}
	}
	return c, nil
}

// Listen returns l with the bound. Several listeners may share one. Deadlines of its connections cost
// little, and a webhook on one is received without asking whether its sender is still there.
func (c *Connections) Listen(l net.Listener) net.Listener { return &boundListener{l, c} }

func (c *Connections) take(a netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open >= c.most || c.from[a] >= c.mostPerAddress {
		return false
	}
	c.open++
	c.from[a]++
	return true
}

func (c *Connections) give(a netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.from[a]--; c.from[a] == 0 {
		delete(c.from, a) // the map is as large as the set of open addresses, never larger
	}
}

type boundListener struct {
	net.Listener
	bound *Connections
}

// tooMany is written without waiting for the request: it fits into an empty
// socket buffer, so writing it never waits either.
const tooMany = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

func (l *boundListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr := peer(conn)
		if l.bound.take(addr) {
			return newConn(conn, sync.OnceFunc(func() { l.bound.give(addr) })), nil
		}
		l.bound.refused.Inc()
		_, _ = conn.Write([]byte(tooMany)) // a courtesy: the refusal is the closing
		_ = conn.Close()
	}
}

// peer returns whose connection it is; the zero address for what has none.
func peer(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	a := tcp.AddrPort().Addr().Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
