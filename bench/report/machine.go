package report

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is what the figures were measured on.
type Machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	RAM        int64  `json:"ram_bytes"`
	Filesystem string `json:"filesystem"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	PostgreSQL string `json:"postgresql"`
	Commit     string `json:"commit"`
}

// ThisMachine describes the machine, the filesystem that holds dir and the
// PostgreSQL in bin. What cannot be found out is left empty.
func ThisMachine(dir, bin string) Machine {
	m := Machine{
		CPU:        field("/proc/cpuinfo", "model name"),
		Cores:      runtime.NumCPU(),
		Filesystem: Filesystem(dir),
		Go:         runtime.Version(),
	}
	if words := strings.Fields(field("/proc/meminfo", "MemTotal")); len(words) > 0 {
		if kilobytes, err := strconv.ParseInt(words[0], 10, 64); err == nil {
			m.RAM = kilobytes << 10
		}
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(kernel))
	}
	if out, err := exec.Command(filepath.Join(bin, "postgres"), "--version").Output(); err == nil {
		m.PostgreSQL = strings.TrimPrefix(strings.TrimSpace(string(out)), "postgres (PostgreSQL) ")
	}
	if out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(out))
	}
	return m
}

// Version returns the version of a module this program was built with.
func Version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, d := range info.Deps {
		if d.Path == module {
			return d.Version
		}
	}
	return ""
}

// field returns the value of the first line `name : value` of a file.
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if key, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Filesystem returns the type and device of the mount that holds a path, or
// nothing where it cannot be found out.
func Filesystem(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	var want unix.Stat_t
	if err := unix.Stat(path, &want); err != nil {
		return ""
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	device := strconv.Itoa(int(unix.Major(want.Dev))) + ":" + strconv.Itoa(int(unix.Minor(want.Dev)))
	for line := range strings.Lines(string(mounts)) {
		left, right, _ := strings.Cut(line, " - ")
		if words := strings.Fields(left); len(words) < 3 || words[2] != device {
			continue
		}
		if words := strings.Fields(right); len(words) >= 2 {
			return words[0] + " on " + words[1]
		}
	}
	return ""
}
