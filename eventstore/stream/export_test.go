package stream

import "testing"

// FreeSpace returns the bytes that are free under path.
func FreeSpace(t testing.TB, path string) int64 {
	t.Helper()
	free, _, err := space(path)
	if err != nil {
		t.Fatal(err)
	}
	return free
}
