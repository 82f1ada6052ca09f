package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

const (
	lockFile   = "LOCK"
	secretFile = "makini.secret"
)

// Lock keeps a data directory to one process. The kernel frees it when the
// process ends, however it ends.
type Lock struct{ f *os.File }

// LockDir makes the data directory where there is none (0700) and locks it. It fails at once where
// another process has it, and names that process.
func LockDir(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	name := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		who, rerr := io.ReadAll(io.LimitReader(f, 32))
		_ = f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		pid := strings.TrimSpace(string(who))
		if rerr != nil || pid == "" {
			pid = "unknown"
		}
		return nil, fmt.Errorf("data directory %s is in use by another tidemark (pid %s): stop that one, or choose another data_dir", dir, pid)
	}
	// The number is a help for people; the lock itself is the kernel's.
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	return &Lock{f}, nil
}

// Close frees the directory.
func (l *Lock) Close() error { return l.f.Close() }

// EnsureDefaultSecret returns the secret of the built-in source, making it on
// the first call: 256 bits from random, in hex, in a file of the data
// directory that only its owner can read. created says that it is new; it
// is then on disk, directory entry included. Call it with the directory locked.
func EnsureDefaultSecret(dir string, random io.Reader) (secret providers.Secret, created bool, err error) {
	secret, err = ReadDefaultSecret(dir)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return secret, false, err
	}
	var raw [32]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return providers.Secret{}, false, fmt.Errorf("make a webhook secret: %w", err)
	}
	text := hex.EncodeToString(raw[:])
	if err := writeDurably(dir, secretFile, []byte(text+"\n")); err != nil {
		return providers.Secret{}, false, fmt.Errorf("keep the webhook secret: %w", err)
	}
	return providers.NewSecret(text), true, nil
}

// ReadDefaultSecret returns the generated secret of a data directory. Before
// the first start it is an fs.ErrNotExist. A file that others could read is closed to them.
func ReadDefaultSecret(dir string) (providers.Secret, error) {
	name := filepath.Join(dir, secretFile)
	data, mode, err := readSmall(name, maxSecretFile)
	if err != nil {
		return providers.Secret{}, fmt.Errorf("read the webhook secret: %w", err)
	}
	if mode.Perm()&0o077 != 0 {
		if err := os.Chmod(name, 0o600); err != nil {
			return providers.Secret{}, fmt.Errorf("close the webhook secret to other users: %w", err)
		}
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return providers.Secret{}, fmt.Errorf("webhook secret %s is empty: delete the file to have a new one made", name)
	}
	return providers.NewSecret(text), nil
}

// writeDurably writes a new file, 0600, so that it is there whole after a crash or not at all.
func writeDurably(dir, name string, data []byte) error {
	f, err := os.CreateTemp(dir, "."+name+"-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to tell
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
