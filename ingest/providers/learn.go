package providers

import (
	"errors"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

// Matching returns the names of the built-in definitions by which the captured
// request is authentic with the secret, its age aside, sorted. Definitions that check
// nothing, and those that have to fetch a key, are none of them.
func Matching(r Request, secret Secret) []string {
	var out []string
	for _, name := range Builtin() {
		s, err := builtinSignature(name)
		if err != nil {
			panic(err) // what is built in is tested
		}
		if s.scheme == "none" || s.scheme == "jwt" {
			continue
		}
		proof, err := newScheme(s, []Secret{secret}, verifierOptions{})
		if err != nil {
			continue // the secret is none for that scheme
		}
		if err := proof.verify(r, time.Time{}); err == nil || errors.Is(err, ErrOutsideWindow) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// builtinSignature reads the signature part of a built-in definition alone: its
// mapping takes a hundred times as long to compile.
func builtinSignature(name string) (*signature, error) {
	l, err := openBuiltin(name)
	if err != nil {
		return nil, err
	}
	r := &reader{top: l, from: map[*yaml.Node]*layer{}, labels: map[*yaml.Node]string{}}
	root, err := r.compose(l, nil)
	if err != nil {
		return nil, err
	}
	return r.parseSignature(child(resolve(root), "signature"))
}
