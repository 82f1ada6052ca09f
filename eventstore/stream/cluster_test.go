package stream_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-dev/tidemark/eventstore/storetest"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
	"github.com/tidemark-dev/tidemark/internal/loopback"
)

// long is set by CI: what takes an election of the cluster, or many of its streams, runs there.
var long = os.Getenv("TIDEMARK_LONG") == "1"

func needsLong(t *testing.T, why string) {
	t.Helper()
	if !long {
		t.Skip(why + ": set TIDEMARK_LONG=1")
	}
}

// cluster is three nats-server processes that keep copies of each other's streams.
type cluster struct {
	t     testing.TB
	nodes []*server
}

// startCluster runs three servers that sync every message. They end with the test.
func startCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{t: t}
	var routes []string
	for range 3 {
		routes = append(routes, loopback.Addr(t))
	}
	for i, route := range routes {
		name := fmt.Sprintf("n%d", i+1)
		s := prepareServer(t, fmt.Sprintf("server_name: %s\ncluster { name: tide, listen: %q, routes: [nats://%s] }\n",
			name, route, strings.Join(routes, ", nats://")))
		s.name = name
		s.launch()
		c.nodes = append(c.nodes, s)
	}
	for _, s := range c.nodes {
		s.awaitHealth()
	}
	return c
}

// options are those of a log that the cluster keeps three copies of.
func (c *cluster) options(prefix string) stream.Options {
	var urls, monitors []string
	for _, s := range c.nodes {
		urls = append(urls, s.url())
		monitors = append(monitors, "http://"+s.monitor)
	}
	return stream.Options{URL: strings.Join(urls, ","), MonitorURLs: monitors, Prefix: prefix, Replicas: 3}
}

// info asks the cluster about a stream, nil while nobody answers.
func (c *cluster) info(name string) *jetstream.StreamInfo {
	c.t.Helper()
	nc, err := nats.Connect(c.options("").URL)
	if err != nil {
		return nil
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	s, err := js.Stream(c.t.Context(), name)
	if err != nil {
		return nil
	}
	return s.CachedInfo()
}

// leader returns the server that leads a stream, and those that do not.
func (c *cluster) leader(name string) (leader *server, followers []*server) {
	c.t.Helper()
	stream.Until(c.t, "the stream has a leader", func() bool {
		info := c.info(name)
		if info == nil || info.Cluster == nil {
			return false
		}
		followers = nil
		for _, s := range c.nodes {
			if s.name == info.Cluster.Leader {
				leader = s
			} else {
				followers = append(followers, s)
			}
		}
		return leader != nil
	})
	return leader, followers
}

// whole waits until every copy of a stream has all of it.
func (c *cluster) whole(name string) {
	c.t.Helper()
	stream.Until(c.t, "every copy is current", func() bool {
		info := c.info(name)
		if info == nil || info.Cluster == nil || info.Cluster.Desired != nil || len(info.Cluster.Replicas) != 2 {
			return false
		}
		for _, peer := range info.Cluster.Replicas {
			if peer.Offline || !peer.Current || peer.Lag > 0 {
				return false
			}
		}
		return true
	})
}

func TestConformanceCluster(t *testing.T) {
	needsLong(t, "it makes forty streams of three copies")
	c := startCluster(t)
	n := 0
	storetest.Run(t, func(t *testing.T) storetest.Store {
		n++
		return start(t, c.options(fmt.Sprintf("T%d", n)))
	})
}
