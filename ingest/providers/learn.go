package providers

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

// learnBytes bounds what Learn hashes for each secret: about a second.
const learnBytes = 512 << 20

// Learned is what a captured request says of how its sender signs.
type Learned struct {
	// Definitions are the built-in ones by which the request is authentic, sorted.
	Definitions []string
	// Matches are the constructions by which it is, likeliest first: each has a YAML.
	Matches []Construction
	// Close are those that almost fit, and why they do not.
	Close []Construction
	// Addressed are the built-in definitions whose headers the request has, and why it is not authentic by them.
	Addressed []Addressed
	// Notes are what is worth knowing beside.
	Notes []string
}

// Addressed is a built-in definition that a request seems meant for.
type Addressed struct{ Definition, Why string }

// Learn tries everything that is known on a captured request, its age aside: each
// built-in definition and some hundred constructions, with each secret, and what may have
// changed the body on the way. It asks for nothing over the network, so a JWT is never a match.
// It takes up to about a second for each secret. What it returns holds no secret and no signature.
func Learn(r Request, secrets []Secret) Learned {
	var l Learned
	seen := map[string]bool{}
	add := func(list []Construction, c Construction) []Construction {
		if text := c.String() + c.YAML(); !seen[text] {
			seen[text] = true
			list = append(list, c)
		}
		return list
	}
	known := builtinSchemes()
	for _, secret := range secrets {
		l.Definitions = append(l.Definitions, matching(known, r, secret)...)
		for _, c := range constructions(r, secret, learnBytes) {
			if len(c.Caveats) == 0 {
				l.Matches = add(l.Matches, c)
			} else {
				l.Close = add(l.Close, c)
			}
		}
	}
	slices.Sort(l.Definitions)
	l.Definitions = slices.Compact(l.Definitions)
	s := &search{request: r}
	s.collect()
	for _, c := range s.tokensIn() {
		l.Close = add(l.Close, c)
	}
	if len(l.Definitions) == 0 {
		l.Addressed = addressed(known, r, secrets)
	}
	l.notes(s)
	return l
}

// notes says what the matches leave open.
func (l *Learned) notes(s *search) {
	for _, c := range l.Matches {
		if c.Scheme != "hmac" || c.Content != "{body}" {
			continue
		}
		for _, at := range s.times {
			t, err := unixHeader(at.value, "auto")
			if err != nil || t.Year() < 2000 || t.Year() > 2100 {
				continue
			}
			where := at.header
			if at.key != "" {
				where = fmt.Sprintf("%s of %s", at.key, at.header)
			}
			l.Notes = append(l.Notes, fmt.Sprintf("the time in %s is not covered by the signature: it proves nothing, and a captured request can be sent again for ever", where))
		}
		break
	}
	if len(l.Matches)+len(l.Close) == 0 {
		if like := signatureLike(s.request); like != "" {
			l.Notes = append(l.Notes, "what looks like signatures stands in "+like+": the secret is another one, or something changed the body on the way")
		} else {
			l.Notes = append(l.Notes, "the request carries nothing that looks like a signature: are all its headers in the file?")
		}
	}
}

// Matching returns the names of the built-in definitions by which the captured
// request is authentic with the secret, its age aside, sorted. Definitions that check
// nothing, and those that have to fetch a key, are none of them.
func Matching(r Request, secret Secret) []string { return matching(builtinSchemes(), r, secret) }

func matching(known []builtinScheme, r Request, secret Secret) []string {
	var out []string
	for _, s := range known {
		if err := s.proves(r, []Secret{secret}); err == nil || errors.Is(err, ErrOutsideWindow) {
			out = append(out, s.name)
		}
	}
	return out
}

// addressed finds the built-in definitions whose headers the request has.
func addressed(known []builtinScheme, r Request, secrets []Secret) []Addressed {
	var out []Addressed
	for _, s := range known {
		switch {
		case s.scheme == "none" || s.scheme == "basic" || s.scheme == "token" && s.header == "":
		case s.scheme == "jwt" && len(r.Header[s.header]) > 0:
			out = append(out, Addressed{s.name, "it has the header " + s.header + "; the key that proves it is fetched with the secret by: tidemark providers test " + s.name + " --body …"})
		case s.scheme != "jwt":
			if err := s.proves(r, secrets); err != nil && !errors.Is(err, ErrNoSignature) && !errors.Is(err, errNotTried) {
				out = append(out, Addressed{s.name, err.Error()})
			}
		}
	}
	return out
}

// builtinScheme is the signature part of a built-in definition alone: its mapping
// takes a hundred times as long to compile.
type builtinScheme struct {
	name string
	*signature
}

// builtinSchemes reads those of all built-in definitions, in the order of their names.
func builtinSchemes() []builtinScheme {
	var out []builtinScheme
	for _, name := range Builtin() {
		l, err := openBuiltin(name)
		if err != nil {
			panic(err) // what is built in is tested
		}
		r := &reader{top: l, from: map[*yaml.Node]*layer{}, labels: map[*yaml.Node]string{}}
		root, err := r.compose(l, nil)
		if err != nil {
			panic(err)
		}
		s, err := r.parseSignature(child(resolve(root), "signature"))
		if err != nil {
			panic(err)
		}
		out = append(out, builtinScheme{name, s})
	}
	return out
}

// errNotTried is a scheme that proves nothing here.
var errNotTried = errors.New("not tried")

// proves verifies a request at no instant: where all else is right, that is ErrOutsideWindow.
func (s builtinScheme) proves(r Request, secrets []Secret) error {
	if s.scheme == "none" || s.scheme == "jwt" {
		return errNotTried
	}
	proof, err := newScheme(s.signature, secrets, verifierOptions{})
	if err != nil {
		return fmt.Errorf("%w: %w", errNotTried, err) // a secret is none for that scheme
	}
	return proof.verify(r, time.Time{})
}
