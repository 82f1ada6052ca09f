package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/internal/config"
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
		if err := os.WriteFile(path+generations.DamagedMark, []byte(f.Error()+"\n"), 0o600); err != nil {
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

// room says why a rebuild must not take more of the disk: what is free has come
// down to the mark below which webhooks are refused, and a half more.
func room(cfg *config.Config, now func() time.Time) func() error {
	var mu sync.Mutex
	var asked time.Time
	var last error
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		if t := now(); t.Sub(asked) >= time.Second {
			asked, last = t, roomNow(cfg)
		}
		return last
	}
}

func roomNow(cfg *config.Config) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(cfg.DataDir, &fs); err != nil {
		return nil // whoever writes there will say more
	}
	free, mark := int64(fs.Bavail)*int64(fs.Bsize), cfg.Disk.LowWater
	if mark == 0 {
		mark = min(512<<20, int64(fs.Blocks)*int64(fs.Bsize)/20)
	}
	if mark += mark / 2; free < mark {
		return fmt.Errorf("%d MiB are free under %s, and a rebuild leaves %d MiB: free some space and begin it again", free>>20, cfg.DataDir, mark>>20)
	}
	return nil
}
