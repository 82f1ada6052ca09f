package providers

import (
	"errors"
	"net/http"
	"time"
)

// Definition is a provider definition, checked and compiled. It is immutable
// and safe for concurrent use.
type Definition struct {
	name, title, notes string
	assumed            bool
	digest             string
	scheme             string
	keep               []string
}

var errNotYet = errors.New("providers: not built yet")

// Builtin returns the names of the embedded definitions, sorted.
func Builtin() []string { return []string{"makini", "standard-webhooks"} }

// Load returns the built-in definition of that name, or reads the file at that
// path: what holds a path separator or ends in .yaml or .yml is a path.
func Load(nameOrPath string) (*Definition, error) { return nil, errNotYet }

// Parse checks and compiles a definition; name is what its errors call the file.
func Parse(name string, data []byte) (*Definition, error) { return nil, errNotYet }

// Name is the definition's name, [a-z0-9][a-z0-9_-]*, at most 64 bytes.
func (d *Definition) Name() string { return d.name }

// Title is the provider's name for people.
func (d *Definition) Title() string { return d.title }

// Assumed reports whether the definition rests on assumptions that its Notes name.
func (d *Definition) Assumed() bool { return d.assumed }

// Notes is free text on where the definition's facts come from.
func (d *Definition) Notes() string { return d.notes }

// Digest is the SHA-256 of the definition's bytes, in hex: two generations with
// equal digests were mapped alike.
func (d *Definition) Digest() string { return d.digest }

// Scheme is the name of the signature scheme, the word for Event.Verified.
func (d *Definition) Scheme() string { return d.scheme }

// KeepHeaders are the headers, in lower case and sorted, that must be stored
// beside the body because the mapping reads them or the definition asks for them.
func (d *Definition) KeepHeaders() []string { return d.keep }

// TokenInPath reports whether senders prove themselves at /in/{source}/{token}.
func (d *Definition) TokenInPath() bool { return false }

// NewVerifier decodes the secrets and returns a Verifier for them: a request
// passes with any one of them. The error says which secret is unusable and why, without showing it.
func (d *Definition) NewVerifier(secrets []Secret) (*Verifier, error) { return nil, errNotYet }

// Sign returns the headers with which the provider would send body at the
// instant now under the delivery id. With a token in the path it returns no
// header: see TokenInPath.
func (d *Definition) Sign(secret Secret, id string, now time.Time, body []byte) (http.Header, error) {
	return nil, errNotYet
}

// NewMapper returns a Mapper for the definition.
func (d *Definition) NewMapper() *Mapper { return &Mapper{def: d} }
