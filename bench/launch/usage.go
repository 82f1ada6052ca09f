package launch

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Memory is what a process keeps in RAM, in bytes.
type Memory struct {
	// Resident is all of it; Anonymous the part that no file backs (the rest can
	// be dropped by the kernel at any time); Peak the most it ever was.
	Resident  int64 `json:"resident"`
	Anonymous int64 `json:"anonymous"`
	Peak      int64 `json:"peak"`
}

// MemoryOf reads /proc/PID/status.
func MemoryOf(pid int) (Memory, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	defer file.Close()
	var m Memory
	fields := map[string]*int64{"VmRSS:": &m.Resident, "RssAnon:": &m.Anonymous, "VmHWM:": &m.Peak}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || fields[words[0]] == nil {
			continue
		}
		kilobytes, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
		}
		*fields[words[0]] = kilobytes << 10
	}
	return m, lines.Err()
}

// CPUOf returns the processor time a process and its children have used so
// far. Processes that have ended and were not waited for are not in it.
func CPUOf(pid int) (time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended while we looked
		}
		own, parent, used, err := parseStat(string(text))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		if own == pid || parent == pid {
			total += used
		}
	}
	return total, nil
}

// clockTick is the unit of /proc/PID/stat, 1/100 s on every Linux of today.
const clockTick = 10 * time.Millisecond

// parseStat reads one /proc/PID/stat: the id, the parent's id, and the time
// used by the process and by the children it waited for.
func parseStat(text string) (pid, parent int, used time.Duration, err error) {
	// The name in brackets may hold anything, so the fields are counted from its end.
	before, _, _ := strings.Cut(text, " ")
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return 0, 0, 0, fmt.Errorf("%d fields", len(fields))
	}
	if pid, err = strconv.Atoi(before); err != nil {
		return 0, 0, 0, err
	}
	if parent, err = strconv.Atoi(fields[1]); err != nil {
		return 0, 0, 0, err
	}
	for _, field := range fields[11:15] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, 0, err
		}
		used += time.Duration(ticks) * clockTick
	}
	return pid, parent, used, nil
}
