package keys

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// recheck is how often the file is looked at for changes. A key that is not
// known is looked for in the file at once, so that a new key works at once.
const recheck = time.Second

// Ring is the set of keys that a server accepts. Safe for concurrent use.
type Ring struct {
	path string
	now  func() time.Time
	log  *slog.Logger

	mu      sync.Mutex
	keys    []Key
	stamp   fs.FileInfo // of the file that keys was read from
	checked time.Time
	broken  bool // the last look at the file failed
}

// Open returns a ring over the keys file at path. A file that cannot be read
// or does not parse is an error; one without keys is none, and then every
// request is refused. A file that others may read or write is warned about in log.
func Open(path string, now func() time.Time, log *slog.Logger) (*Ring, error) {
	r := &Ring{path: path, now: now, log: log, checked: now()}
	if err := r.reload(); err != nil {
		return nil, err
	}
	if mode := r.stamp.Mode().Perm(); mode&0o077 != 0 {
		log.Warn("keys file is open to other users of this machine", slog.String("file", path), slog.String("mode", mode.String()), slog.String("fix", "chmod 600 "+path))
	}
	if len(r.keys) == 0 {
		log.Warn("keys file holds no key: every API request will be refused", slog.String("file", path))
	}
	return r, nil
}

// Len returns the number of keys.
func (r *Ring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.keys)
}

// Authenticate returns the key that an Authorization header carries. It
// returns ErrNoKey, ErrMalformed or ErrUnknownKey. The comparison with
// the known keys takes the same time whichever of them matches, or none.
func (r *Ring) Authenticate(header string) (Key, error) {
	scheme, text, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return Key{}, ErrNoKey
	}
	text = strings.Trim(text, " ")
	if !wellFormed(text) {
		return Key{}, ErrMalformed
	}
	hash := sha256.Sum256([]byte(text))

	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); now.Sub(r.checked) >= recheck || now.Before(r.checked) {
		r.refresh(now)
	}
	if k, ok := find(r.keys, hash); ok {
		return k, nil
	}
	r.refresh(r.now())
	if k, ok := find(r.keys, hash); ok {
		return k, nil
	}
	return Key{}, ErrUnknownKey
}

func find(list []Key, hash [sha256.Size]byte) (found Key, ok bool) {
	for _, k := range list {
		if subtle.ConstantTimeCompare(k.hash[:], hash[:]) == 1 {
			found, ok = k, true // no break: the time must not depend on the place
		}
	}
	return found, ok
}

// refresh reads the file again where it has changed. Trouble with the file
// keeps the keys of before: a slip of the editor must not lock everybody out.
func (r *Ring) refresh(now time.Time) {
	r.checked = now
	fi, err := os.Stat(r.path)
	if err == nil {
		same := os.SameFile(fi, r.stamp) && fi.ModTime().Equal(r.stamp.ModTime()) && fi.Size() == r.stamp.Size()
		if same && !r.broken {
			return
		}
		err = r.reload()
	}
	switch {
	case err != nil && !r.broken:
		r.log.Error("keys file cannot be read: the keys known before stay valid", slog.String("file", r.path), slog.Any("error", err))
	case err == nil && r.broken:
		r.log.Info("keys file can be read again", slog.String("file", r.path))
	}
	r.broken = err != nil
}

// reload reads the file and takes its stamp from the open file, so that both
// belong together even where the file is replaced meanwhile.
func (r *Ring) reload() error {
	f, err := os.Open(r.path)
	if err != nil {
		return fmt.Errorf("read API keys: %w", err)
	}
	defer func() { _ = f.Close() }()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read API keys: %w", err)
	}
	list, err := read(f, r.path)
	if err != nil {
		return err
	}
	r.keys, r.stamp = list, fi
	return nil
}
