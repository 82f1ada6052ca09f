package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a settable clock.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func open(t *testing.T, path string, now func() time.Time) (*Ring, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	r, err := Open(path, now, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return r, &log
}

func create(t *testing.T, path, name string, s Scope) string {
	t.Helper()
	text, err := Create(path, name, s, day, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestKeyText(t *testing.T) {
	// The form is fixed for ever: keys live longer than releases.
	got, err := generate(bytes.NewReader(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if want := "tidemark_" + strings.Repeat("0", 43) + "487uHa"; got != want {
		t.Errorf("key of 32 zero bytes = %q, want %q", got, want)
	}
	got, err = generate(bytes.NewReader(bytes.Repeat([]byte{0xff}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != length || !wellFormed(got) {
		t.Errorf("key of the largest number %q is not well formed", got)
	}
	for i := len(prefix); i < len(got); i++ {
		b := []byte(got)
		b[i] = alphabet[(strings.IndexByte(alphabet, b[i])+1)%62]
		if wellFormed(string(b)) {
			t.Errorf("a wrong digit at %d goes unnoticed", i)
		}
	}
	if _, err := generate(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a key was made of too little randomness")
	}
}

func TestFileHoldsOnlyTheHash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	text := create(t, path, "ops", Admin)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), text) || strings.Contains(string(data), text[len(prefix):len(prefix)+20]) {
		t.Error("the file holds the key itself")
	}
	sum := sha256.Sum256([]byte(text))
	if !strings.Contains(string(data), hex.EncodeToString(sum[:])) {
		t.Errorf("the file does not hold the key's hash:\n%s", data)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v; want 0600", fi.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".keys-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files left: %v %v", left, err)
	}
	list, err := List(path)
	if err != nil || len(list) != 1 || list[0].Name != "ops" || list[0].Scope != Admin || !list[0].Created.Equal(day) {
		t.Errorf("List = %+v, %v", list, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	create(t, path, "ops", Read)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		scope Scope
	}{{"ops", Read}, {"", Read}, {"a b", Read}, {"x\nkeys:", Read}, {strings.Repeat("a", 65), Read}, {"new", "root"}, {"new", ""}} {
		if text, err := Create(path, c.name, c.scope, day, rand.Reader); err == nil {
			t.Errorf("Create(%q, %q) = %q, want an error", c.name, c.scope, text)
		}
	}
	if err := Revoke(path, "nobody"); err == nil {
		t.Error("revoking an unknown name succeeds")
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a refused change wrote the file: %v", err)
	}
	if _, err := Create(filepath.Join(t.TempDir(), "no", "keys.yaml"), "ops", Read, day, rand.Reader); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

func TestCreateTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if _, err := Create(path, fmt.Sprintf("k%d", i), Read, day, rand.Reader); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, err := List(path); err != nil || len(list) != 16 {
		t.Errorf("%d keys kept of 16: %v", len(list), err)
	}
}

func TestAuthenticate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	a, b := create(t, path, "a", Read), create(t, path, "b", Admin)
	foreign := create(t, filepath.Join(t.TempDir(), "keys.yaml"), "c", Admin)
	ring, _ := open(t, path, (&clock{t: day}).now)
	if ring.Len() != 2 {
		t.Fatalf("Len = %d", ring.Len())
	}
	for _, c := range []struct {
		header, name string
		err          error
	}{
		{"Bearer " + a, "a", nil},
		{"bearer  " + b + " ", "b", nil},
		{"", "", ErrNoKey},
		{a, "", ErrNoKey},
		{"Basic " + a, "", ErrNoKey},
		{"Bearer", "", ErrNoKey},
		{"Bearer ", "", ErrMalformed},
		{"Bearer " + a[:len(a)-1], "", ErrMalformed},
		{"Bearer " + a + "0", "", ErrMalformed},
		{"Bearer " + strings.ToUpper(a), "", ErrMalformed},
		{"Bearer " + strings.Replace(a, "_", "-", 1), "", ErrMalformed},
		{"Bearer " + a[:20] + "\x00" + a[21:], "", ErrMalformed},
		{"Bearer " + strings.Repeat("x", 1<<20), "", ErrMalformed},
		{"Bearer " + foreign, "", ErrUnknownKey},
	} {
		k, err := ring.Authenticate(c.header)
		if !errors.Is(err, c.err) || k.Name != c.name {
			t.Errorf("Authenticate(%.40q) = %q, %v; want %q, %v", c.header, k.Name, err, c.name, c.err)
		}
	}
}

func TestFileChangesCountWithoutRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	a := create(t, path, "a", Read)
	c := &clock{t: day}
	ring, log := open(t, path, c.now)

	b := create(t, path, "b", Read)
	if k, err := ring.Authenticate("Bearer " + b); err != nil || k.Name != "b" {
		t.Fatalf("a new key does not work at once: %v", err)
	}
	if err := Revoke(path, "a"); err != nil {
		t.Fatal(err)
	}
	c.add(recheck)
	if _, err := ring.Authenticate("Bearer " + a); !errors.Is(err, ErrUnknownKey) {
		t.Fatalf("a revoked key still works after %v: %v", recheck, err)
	}

	// A slip of the editor, then the file gone: b goes on working, a stays out.
	for _, harm := range []func() error{
		func() error { return os.WriteFile(path, []byte("keys: [{nam: b}]\n"), 0o600) },
		func() error { return os.Remove(path) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		c.add(recheck)
		if _, err := ring.Authenticate("Bearer " + b); err != nil {
			t.Errorf("a broken file locks out a known key: %v", err)
		}
		if _, err := ring.Authenticate("Bearer " + a); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("a broken file lets in a revoked key: %v", err)
		}
	}
	if n := strings.Count(log.String(), "cannot be read"); n != 1 {
		t.Errorf("the broken file is reported %d times, want once:\n%s", n, log)
	}
	if strings.Contains(log.String(), a) || strings.Contains(log.String(), b) {
		t.Error("the log holds a key")
	}
	a = create(t, path, "a", Read)
	if _, err := ring.Authenticate("Bearer " + a); err != nil {
		t.Errorf("a mended file is not read: %v", err)
	}
	if _, err := ring.Authenticate("Bearer " + b); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("a key that the mended file lacks still works: %v", err)
	}
}

func TestOpenRefusesAndWarns(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.yaml")
	hash := strings.Repeat("ab", 32)
	for _, c := range []struct{ text, want string }{
		{"keys: [{name: a, scope: read, sha256: tidemark_secret}]", "sha256"},
		{"keys: [{name: a, scope: root, sha256: " + hash + "}]", "read or admin"},
		{"keys: [{name: a, scope: read, sha256: " + hash + "}, {name: a, scope: read, sha256: " + hash + "}]", "taken"},
		{"keys: [{name: a, scop: read, sha256: " + hash + "}]", "scop"},
		{"keys: {", "keys.yaml"},
		{strings.Repeat("#", maxFile+1), "larger"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, time.Now, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "tidemark_secret") {
			t.Errorf("%.60s: error %v, want one that names %q and quotes no key", c.text, err, c.want)
		}
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	ring, log := open(t, path, time.Now)
	if !strings.Contains(log.String(), "chmod 600") || !strings.Contains(log.String(), "no key") {
		t.Errorf("nothing said about a readable, empty file: %s", log)
	}
	if _, err := ring.Authenticate("Bearer " + create(t, filepath.Join(t.TempDir(), "k"), "x", Admin)); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("an empty file lets somebody in: %v", err)
	}
}
