package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/projections/generations"
)

// storeFailed tells why the projections' store cannot go on, and returns the exit
// code. Nothing that was acknowledged is lost: the log has it.
func storeFailed(stderr io.Writer, path string, err error) int {
	f := &failure{fmt.Errorf("the projections in %s cannot go on: %w", path, err), exitError,
		"nothing that was acknowledged is lost; see to the disk (space, dmesg) and start again"}
	if text := strings.ToLower(err.Error()); strings.Contains(text, "corrupt") || strings.Contains(text, "checksum") {
		f.code = exitIntegrity
		f.next = "nothing that was acknowledged is lost; start again, and the projections are made anew from the log"
		if err := os.WriteFile(path+generations.DamagedMark, nil, 0o600); err != nil {
			f.next = "nothing that was acknowledged is lost; delete " + path + " and start again: the log gives it back"
		}
	}
	return report(stderr, f)
}

// registerProjections adds the metrics of the directory that serves.
func registerProjections(set *generations.Set, reg prometheus.Registerer) error {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		gauge("tidemark_projection_position", "Last position of the log that is applied.", func() float64 {
			v, err := set.View()
			if err != nil {
				return 0
			}
			defer func() { _ = v.Close() }()
			return float64(v.Checkpoint().Position)
		}),
		gauge("tidemark_projection_disk_bytes", "Space that the projections that serve take on disk.", func() float64 { return float64(set.Metrics().DiskBytes) }),
		gauge("tidemark_projection_memory_bytes", "Memory of recent writes and of cached blocks.", func() float64 {
			m := set.Metrics()
			return float64(m.MemTables) + float64(m.CacheBytes)
		}),
	} {
		errs = append(errs, reg.Register(c))
	}
	return errors.Join(errs...)
}
