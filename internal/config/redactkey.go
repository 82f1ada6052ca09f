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
)

const (
	redactKeyFile = "redact.key"
	redactKeySize = 32
)

// EnsureRedactKey returns the key of the hashes that stand for redacted fields, making it on the
// first call: 256 bits from random, in hex, in a file of the data directory that only its owner can
// read. It is then on disk, directory entry included. Call it with the directory locked.
func EnsureRedactKey(dir string, random io.Reader) ([]byte, error) {
	key, err := ReadRedactKey(dir)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = make([]byte, redactKeySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("make the redaction key: %w", err)
	}
	if err := writeDurably(dir, redactKeyFile, []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return nil, fmt.Errorf("keep the redaction key: %w", err)
	}
	return key, nil
}

// ReadRedactKey returns the key that EnsureRedactKey made. Before the first start it is an
// fs.ErrNotExist. A file that others could read is closed to them. A damaged one is an error and never made
// anew: under another key, values that were equal would not be any more.
func ReadRedactKey(dir string) ([]byte, error) {
	name := filepath.Join(dir, redactKeyFile)
	data, mode, err := readSmall(name, maxSecretFile)
	if err != nil {
		return nil, fmt.Errorf("read the redaction key: %w", err)
	}
	if mode.Perm()&0o077 != 0 {
		if err := os.Chmod(name, 0o600); err != nil {
			return nil, fmt.Errorf("close the redaction key to other users: %w", err)
		}
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(key) != redactKeySize {
		return nil, fmt.Errorf("redaction key %s is not %d hexadecimal digits: restore it from a backup; "+
			"without one, delete the file to have another made, under which equal values have other hashes than before", name, 2*redactKeySize)
	}
	return key, nil
}
