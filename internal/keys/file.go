package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.yaml.in/yaml/v4"
)

const (
	fileHead = "# API keys of Tidemark: who may query and administer this server. Only hashes are kept.\n" +
		"# Deleting an entry revokes the key within a second.\n"
	maxFile = 1 << 20
	maxName = 64
)

// The file's form. Times are RFC 3339, hashes lower-case hex.
type fileForm struct {
	Keys []fileKey `yaml:"keys"`
}

type fileKey struct {
	Name    string    `yaml:"name"`
	Scope   string    `yaml:"scope"`
	Created time.Time `yaml:"created"`
	SHA256  string    `yaml:"sha256"`
}

// Create makes a key, adds its hash to the file at path, and returns the key's
// text: the only time that anybody sees it. The file is made where there is none,
// 0600, and is on disk with its directory entry when Create returns nil. A
// name that is taken is an error.
func Create(path, name string, scope Scope, now time.Time, random io.Reader) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if _, err := ParseScope(string(scope)); err != nil {
		return "", err
	}
	text, err := generate(random)
	if err != nil {
		return "", err
	}
	err = edit(path, func(have []Key) ([]Key, error) {
		for _, k := range have {
			if k.Name == name {
				return nil, fmt.Errorf("%s has a key named %q already: choose another name, or delete that entry first", path, name)
			}
		}
		return append(have, Key{Name: name, Scope: scope, Created: now.UTC().Truncate(time.Second), hash: sha256.Sum256([]byte(text))}), nil
	})
	if err != nil {
		return "", err
	}
	return text, nil
}

// Revoke takes the key of that name out of the file at path. A name that is not there is an error.
func Revoke(path, name string) error {
	return edit(path, func(have []Key) ([]Key, error) {
		for i, k := range have {
			if k.Name == name {
				return append(have[:i:i], have[i+1:]...), nil
			}
		}
		return nil, fmt.Errorf("%s has no key named %q", path, name)
	})
}

// List returns the keys of the file at path in the file's order. A file that
// is not there is an fs.ErrNotExist.
func List(path string) ([]Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read API keys: %w", err)
	}
	defer func() { _ = f.Close() }()
	return read(f, path)
}

func read(f *os.File, path string) ([]Key, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read API keys: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read API keys: %s is larger than %d bytes", path, maxFile)
	}
	var form fileForm
	if len(bytes.TrimSpace(data)) > 0 {
		if err := yaml.Load(data, &form, yaml.WithKnownFields(), yaml.WithUniqueKeys()); err != nil {
			return nil, fmt.Errorf("read API keys: %s: %w", path, err)
		}
	}
	out := make([]Key, 0, len(form.Keys))
	seen := map[string]bool{}
	for i, fk := range form.Keys {
		k, err := fk.key()
		if err == nil && seen[k.Name] {
			err = errors.New("the name is taken by an entry above")
		}
		if err != nil {
			return nil, fmt.Errorf("read API keys: %s: entry %d (%q): %w", path, i+1, fk.Name, err)
		}
		seen[k.Name] = true
		out = append(out, k)
	}
	return out, nil
}

func (fk fileKey) key() (Key, error) {
	if err := checkName(fk.Name); err != nil {
		return Key{}, err
	}
	scope, err := ParseScope(fk.Scope)
	if err != nil {
		return Key{}, err
	}
	sum, err := hex.DecodeString(fk.SHA256)
	if err != nil || len(sum) != sha256.Size {
		// The text is not quoted: somebody may have pasted the key itself here.
		return Key{}, errors.New("sha256 is not 64 hex digits: it holds the hash of a key, not the key")
	}
	return Key{Name: fk.Name, Scope: scope, Created: fk.Created.UTC(), hash: [sha256.Size]byte(sum)}, nil
}

func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("a key needs a name of 1 to %d characters", maxName)
	}
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' && c != '@' {
			return fmt.Errorf("key name %q: use letters, digits and - _ . @ only", name)
		}
	}
	return nil
}

// edit reads, changes and replaces the file as one step among processes: the
// directory is locked meanwhile, so that two commands at once lose no key.
func edit(path string, change func([]Key) ([]Key, error)) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write API keys: %w", err)
	}
	defer func() { _ = dir.Close() }() // frees the lock as well
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("write API keys: lock %s: %w", dir.Name(), err)
	}
	have, err := List(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	next, err := change(have)
	if err != nil {
		return err
	}
	if err := replace(dir, path, next); err != nil {
		return fmt.Errorf("write API keys: %w", err)
	}
	return nil
}

// replace writes a new file beside the old one and moves it into place, so
// that a crash leaves the one or the other.
func replace(dir *os.File, path string, list []Key) error {
	form := fileForm{Keys: make([]fileKey, 0, len(list))}
	for _, k := range list {
		form.Keys = append(form.Keys, fileKey{k.Name, string(k.Scope), k.Created, hex.EncodeToString(k.hash[:])})
	}
	body, err := yaml.Dump(form)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir.Name(), ".keys-*") // 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(append([]byte(fileHead), body...))
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the first error is the one to tell
		return err
	}
	return dir.Sync()
}
