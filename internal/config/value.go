package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const maxSecretFile = 64 << 10

// expand replaces ${VAR} by the environment variable, $${ by a plain ${, and
// a value that begins with file: by the content of that file, one trailing newline
// taken off. What a variable holds is never looked at again: it cannot bring in
// a file or another variable.
func (d *decoder) expand(v node) (string, bool) {
	literal, fromFile := strings.CutPrefix(v.Value, "file:")
	text, err := expandEnv(literal, d.environ)
	if err != nil {
		d.fail(v, "%v", err)
		return "", false
	}
	if !fromFile {
		return text, true
	}
	path := d.path(text)
	d.cfg.Files = append(d.cfg.Files, path)
	data, mode, err := readSmall(path, maxSecretFile)
	if err != nil {
		d.fail(v, "read the value: %v", err)
		return "", false
	}
	if mode.IsRegular() && mode.Perm()&0o077 != 0 {
		d.cfg.Warnings = append(d.cfg.Warnings, fmt.Sprintf(
			"%s:%d: %s: %s can be read by other users of this machine (mode %v): chmod 600 it", d.cfg.File, v.Line, v.key, path, mode.Perm()))
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), true
}

func expandEnv(s string, environ func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		name, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed || !validVariable(name) {
			return "", errors.New("${ begins the name of an environment variable, as in ${NAME}; write $${ for the two characters themselves")
		}
		value, ok := environ(name)
		if !ok {
			return "", fmt.Errorf("environment variable %s is not set: set it (export %s=…), or name a file with file:PATH", name, name)
		}
		b.WriteString(value)
		s = rest
	}
}

func validVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 128
}

// The units of sizes, longest name first. KB is a thousand and KiB 1,024, as the words say.
var units = []struct {
	name  string
	bytes int64
}{
	{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"TIB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"B", 1},
}

// ParseSize reads a size: whole bytes ("1048576") or a number with a unit ("1MiB", "500 MB").
func ParseSize(s string) (int64, error) {
	digits, unit := strings.TrimSpace(s), int64(1)
	upper := strings.ToUpper(digits)
	for _, u := range units {
		if strings.HasSuffix(upper, u.name) {
			digits, unit = strings.TrimSpace(digits[:len(digits)-len(u.name)]), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > uint64(math.MaxInt64/unit) {
		return 0, fmt.Errorf("%q is not a size: write bytes (1048576) or a number with KiB, MiB, GiB, KB, MB or GB (1MiB)", cutText(s))
	}
	return int64(n) * unit, nil
}

// FormatSize writes a size the way ParseSize reads it, exactly.
func FormatSize(n int64) string {
	for i := 3; i >= 0; i-- {
		if u := units[i]; n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name[:1] + "iB"
		}
	}
	return strconv.FormatInt(n, 10)
}
