package stream

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	lockFile = "LOCK"
	// createdFile is there once the stream is: a start that finds the one without the other
	// must not begin an empty log in the place of a lost one.
	createdFile = "CREATED"
)

// directory is the embedded server's data directory, held by one process at a time.
type directory struct {
	path string
	lock *os.File
}

// openDirectory makes the directory if need be and locks it until close or the
// end of the process.
func openDirectory(path string) (*directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("log directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = errors.Join(err, lock.Close())
		return nil, fmt.Errorf("log directory %s is in use by another process (%w): stop that one, or give this one a directory of its own", path, err)
	}
	return &directory{path: path, lock: lock}, nil
}

func (d *directory) close() error { return d.lock.Close() }

// created says whether a stream was ever made here.
func (d *directory) created() (bool, error) {
	_, err := os.Stat(filepath.Join(d.path, createdFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// markCreated notes that the stream was made, on disk when it returns.
func (d *directory) markCreated(stream string) error {
	f, err := os.OpenFile(filepath.Join(d.path, createdFile), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "stream %s was created here; without it in place the log is lost\n", stream)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
