package disk

import (
	"os"
	"testing"
	"time"
)

func TestSyncMeasuresAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	latency, err := Sync(dir, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if latency.Count == 0 || latency.P50 <= 0 {
		t.Errorf("latency %+v", latency)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
