package providers

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"
)

// hmacKey is one secret's key. Its MAC states are pooled: setting one up costs
// two blocks of hashing and three allocations.
type hmacKey struct{ pool sync.Pool }

// mac is a reusable HMAC state with room for its sum and for small inputs.
type mac struct {
	h    hash.Hash
	sum  [sha512.Size]byte
	text []byte
}

// hashOf returns the constructor of a hash by its name in a definition.
func hashOf(algorithm string) func() hash.Hash {
	switch algorithm {
	case "sha1":
		return sha1.New
	case "sha512":
		return sha512.New
	}
	return sha256.New
}

func newHMACKey(algorithm string, key []byte) *hmacKey {
	k := &hmacKey{}
	k.pool.New = func() any { return &mac{h: hmac.New(hashOf(algorithm), key)} }
	return k
}

// get returns a state that has hashed nothing.
func (k *hmacKey) get() *mac { return k.pool.Get().(*mac) }

// put gives a state back.
func (k *hmacKey) put(m *mac) {
	m.h.Reset()
	m.text = m.text[:0]
	k.pool.Put(m)
}

// write hashes the content of a request.
func (m *mac) write(content []segment, id, timestamp string, body []byte) {
	for _, s := range content {
		switch s.kind {
		case segBody:
			m.h.Write(m.text)
			m.text = m.text[:0]
			m.h.Write(body)
		case segID:
			m.text = append(m.text, id...)
		case segTimestamp:
			m.text = append(m.text, timestamp...)
		default:
			m.text = append(m.text, s.text...)
		}
	}
	m.h.Write(m.text)
}

// hmacScheme is an HMAC over a template, as the definition describes it.
type hmacScheme struct {
	*signature
	size int // of the hash
	keys []*hmacKey
}

func newHMACScheme(s *signature, secrets []Secret) (*hmacScheme, error) {
	h := &hmacScheme{signature: s, size: hashOf(s.algorithm)().Size()}
	for i, secret := range secrets {
		key, problem := decodeSecret(secret.Reveal(), s.secretEncoding, s.secretPrefix)
		if problem != "" {
			return nil, fmt.Errorf("secret %d of %d %s: the definition says secret_encoding %s", i+1, len(secrets), problem, s.secretEncoding)
		}
		h.keys = append(h.keys, newHMACKey(s.algorithm, key))
	}
	return h, nil
}

func (h *hmacScheme) verify(r Request, now time.Time) error {
	value, err := one(r.Header, h.header)
	if err != nil {
		return err
	}
	var sigs candidates
	timestamp, id, err := h.parts(value, &sigs)
	if err != nil {
		return err
	}
	if h.id.header != "" {
		if id, err = one(r.Header, h.id.header); err != nil {
			return err
		}
	}
	if h.timestamp.header != "" {
		if timestamp, err = one(r.Header, h.timestamp.header); err != nil {
			return err
		}
	}
	if h.id.given() && !idFits(h.content, id) {
		return fmt.Errorf("%w: the id holds the text that separates it in the signed content", ErrMalformed)
	}
	at := time.Time{}
	if h.timestamp.given() {
		if at, err = unixHeader(timestamp, h.timestampUnit); err != nil {
			return err
		}
	}

	ok, formed := 0, false
	for _, k := range h.keys {
		m := k.get()
		m.write(h.content, id, timestamp, r.Body)
		sum := m.h.Sum(m.sum[:0])
		for i := range sigs.n {
			var got [sha512.Size]byte
			if decodeSignature(got[:h.size], sigs.text[i], h.encoding) {
				formed = true
				if hmac.Equal(got[:h.size], sum) {
					ok |= 1
				}
			}
		}
		k.put(m)
	}
	if ok == 0 {
		if !formed {
			return fmt.Errorf("%w: no %d bytes in %s in the header %s", ErrMalformed, h.size, h.encoding, h.header)
		}
		return fmt.Errorf("%w: the header %s matches none of %d secrets", ErrBadSignature, h.header, len(h.keys))
	}
	if h.timestamp.given() {
		return inWindow(at, now, h.tolerance)
	}
	return nil
}

// parts takes the signature header apart.
func (h *hmacScheme) parts(value string, sigs *candidates) (timestamp, id string, err error) {
	if h.separator == "" {
		if value, err = h.strip(value); err != nil {
			return "", "", err
		}
		return "", "", sigs.add(value)
	}
	key, entries := "", 0
	for more := true; more; {
		var entry string
		entry, value, more = strings.Cut(value, h.separator)
		if entry = strings.Trim(entry, " \t"); entry == "" {
			continue
		}
		if entries++; entries > 2*maxSignatures {
			return "", "", fmt.Errorf("%w: more than %d entries in the header %s", ErrMalformed, 2*maxSignatures, h.header)
		}
		if h.key == "" {
			if entry, err = h.strip(entry); err == nil {
				err = sigs.add(entry)
			}
			if err != nil {
				return "", "", err
			}
			continue
		}
		text := entry // an entry without a key belongs to the key before it
		if k, v, ok := strings.Cut(entry, "="); ok && (key == "" || v != "" && v != "=") {
			key, text = k, v
		} else if key == "" {
			continue
		}
		switch key {
		case h.key:
			err = sigs.add(text)
		case h.timestamp.key:
			err = set(&timestamp, text, key)
		case h.id.key:
			err = set(&id, text, key)
		}
		if err != nil {
			return "", "", err
		}
	}
	switch {
	case sigs.n == 0:
		err = fmt.Errorf("%w: no signature in the header %s", ErrMalformed, h.header)
	case h.timestamp.key != "" && timestamp == "":
		err = fmt.Errorf("%w: no entry %s in the header %s", ErrMalformed, h.timestamp.key, h.header)
	case h.id.key != "" && id == "":
		err = fmt.Errorf("%w: no entry %s in the header %s", ErrMalformed, h.id.key, h.header)
	}
	return timestamp, id, err
}

// set takes an entry's value that may stand there once.
func set(to *string, value, key string) error {
	if *to != "" {
		return fmt.Errorf("%w: two entries %s", ErrMalformed, key)
	}
	*to = value
	return nil
}

// strip takes the prefix off a signature.
func (h *hmacScheme) strip(s string) (string, error) {
	rest, ok := strings.CutPrefix(s, h.prefix)
	if !ok && !h.prefixOptional {
		return "", fmt.Errorf("%w: the header %s does not begin with %q", ErrMalformed, h.header, h.prefix)
	}
	return rest, nil
}
