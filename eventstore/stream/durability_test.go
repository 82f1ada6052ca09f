package stream_test

import (
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

func TestDurability(t *testing.T) {
	server := startServer(t)
	told := server.options("TOLD")
	told.MonitorURLs = []string{"http://" + server.monitor}
	other := server.options("OTHER")
	other.MonitorURLs = []string{"http://" + startServer(t).monitor}
	for _, c := range []struct {
		name string
		opts stream.Options
		want eventstore.Durability
	}{
		{"embedded", stream.Options{Dir: t.TempDir()},
			eventstore.Durability{Kind: "embedded", SyncAlways: true, Known: true, SyncInterval: "always", Replicas: 1}},
		{"embedded without sync", stream.Options{Dir: t.TempDir(), NoSync: true},
			eventstore.Durability{Kind: "embedded", Known: true, SyncInterval: "2m0s", Replicas: 1}},
		{"external, silent", server.options("SILENT"), eventstore.Durability{Kind: "external", Replicas: 1}},
		{"external, monitored", told,
			eventstore.Durability{Kind: "external", SyncAlways: true, Known: true, SyncInterval: "always", Replicas: 1}},
		{"external, another server monitored", other, eventstore.Durability{Kind: "external", Replicas: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := start(t, c.opts).Durability(); got != c.want {
				t.Errorf("durability %+v, want %+v", got, c.want)
			}
		})
	}
}
