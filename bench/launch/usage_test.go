package launch

import (
	"os"
	"testing"
	"time"
)

func TestParseStatCountsFromTheEndOfTheName(t *testing.T) {
	const text = "77 (po) st (x) S 12 77 77 0 -1 4194560 1 2 3 4 100 50 7 3 20 0 1 0 999 1 2"
	pid, parent, used, err := parseStat(text)
	if err != nil {
		t.Fatal(err)
	}
	if pid != 77 || parent != 12 || used != 1600*time.Millisecond {
		t.Errorf("pid %d, parent %d, used %v; want 77, 12, 1.6s", pid, parent, used)
	}
	if _, _, _, err := parseStat("77 (cut) S 12"); err == nil {
		t.Error("a cut line was accepted")
	}
}

func TestMemoryOfOurselves(t *testing.T) {
	m, err := MemoryOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if m.Resident < 1<<20 || m.Anonymous <= 0 || m.Anonymous > m.Resident || m.Peak < m.Resident {
		t.Errorf("memory %+v", m)
	}
}

func TestCPUOfOurselvesGrows(t *testing.T) {
	before, err := CPUOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
	}
	after, err := CPUOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after <= before {
		t.Errorf("CPU %v before 100 ms of work, %v after", before, after)
	}
}
