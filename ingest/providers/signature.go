package providers

import (
	"net/http"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Limits on what a request may carry as a signature. Beyond them it is malformed.
const (
	maxSignatures    = 16
	maxHeader        = 4096 // bytes of a header that the scheme reads
	defaultTolerance = 5 * time.Minute
	maxTolerance     = 7 * 24 * time.Hour
)

// signature is the `signature:` part of a definition. Which fields mean
// something depends on the scheme.
type signature struct {
	scheme string // hmac, standard-webhooks, jwt, token, basic, none
	hint   string // for people whose signatures do not match

	// hmac, jwt and token
	header         string // canonical
	prefix         string
	prefixOptional bool

	// hmac
	algorithm      string // sha1, sha256, sha512; of a jwt ES256
	encoding       string // hex, base64, base64url
	content        []segment
	id, timestamp  place
	timestampUnit  string // auto, s, ms
	separator      string // "" where the header is one signature
	key            string // "" where entries are not key=value
	secretEncoding string // utf8, base64, hex
	secretPrefix   string

	// hmac with a timestamp, standard-webhooks and jwt
	tolerance time.Duration

	// standard-webhooks
	families []string // header prefixes, as in "webhook-"

	// token
	path bool

	// jwt
	bodyClaim string // that holds the SHA-256 of the body
	fetch     *keyFetch
}

// place is where an id or a timestamp stands: in a header of its own, or as
// another key of the signature's header. At most one is set.
type place struct{ header, key string }

func (p place) given() bool { return p.header != "" || p.key != "" }

var signatureKeys = map[string][]string{
	"hmac": {"scheme", "header", "algorithm", "encoding", "prefix", "prefix_optional", "content", "id", "timestamp",
		"timestamp_unit", "separator", "key", "secret_encoding", "secret_prefix", "tolerance", "hint"},
	"standard-webhooks": {"scheme", "header_prefixes", "tolerance", "hint"},
	"jwt":               {"scheme", "header", "prefix", "algorithm", "body_sha256", "tolerance", "keys", "hint"},
	"token":             {"scheme", "header", "prefix", "path", "hint"},
	"basic":             {"scheme", "hint"},
	"none":              {"scheme", "hint"},
}

// parseSignature reads the `signature:` part.
func (r *reader) parseSignature(n *yaml.Node) (*signature, error) {
	var all []string
	for _, keys := range signatureKeys {
		all = append(all, keys...)
	}
	f, err := r.fields(n, "signature", all...)
	if err != nil {
		return nil, err
	}
	if !f.has("scheme") {
		return nil, r.errorf(f.at, "signature.scheme is missing: hmac, standard-webhooks, jwt, token, basic or none")
	}
	s := &signature{}
	if s.scheme, err = f.word("scheme", "hmac", "standard-webhooks", "jwt", "token", "basic", "none"); err != nil {
		return nil, err
	}
	for key := range f.values {
		if checkKnown(key, signatureKeys[s.scheme]) != nil {
			return nil, r.errorf(r.spotOfKey(n, key), "signature.%s means nothing to the scheme %s, which has %s",
				key, s.scheme, strings.Join(signatureKeys[s.scheme], ", "))
		}
	}
	if s.hint, err = f.text("hint"); err != nil {
		return nil, err
	}
	switch s.scheme {
	case "hmac":
		err = s.parseHMAC(f)
	case "standard-webhooks":
		err = s.parseStandard(f)
	case "jwt":
		err = s.parseJWT(f)
	case "token":
		err = s.parseToken(f)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *signature) parseHMAC(f fields) (err error) {
	if s.header, err = f.headerName("header"); err != nil {
		return err
	}
	if s.header == "" {
		return f.r.errorf(f.at, "signature.header is missing: the header that carries the signature")
	}
	texts := []struct {
		key string
		to  *string
	}{{"prefix", &s.prefix}, {"separator", &s.separator}, {"key", &s.key}, {"secret_prefix", &s.secretPrefix}}
	for _, t := range texts {
		if *t.to, err = f.text(t.key); err != nil {
			return err
		}
	}
	words := []struct {
		key   string
		to    *string
		words []string
	}{
		{"algorithm", &s.algorithm, []string{"sha256", "sha1", "sha512"}},
		{"encoding", &s.encoding, []string{"hex", "base64", "base64url"}},
		{"timestamp_unit", &s.timestampUnit, []string{"auto", "s", "ms"}},
		{"secret_encoding", &s.secretEncoding, []string{"utf8", "base64", "hex"}},
	}
	for _, w := range words {
		if *w.to, err = f.word(w.key, w.words...); err != nil {
			return err
		}
	}
	if s.prefixOptional, err = f.flag("prefix_optional"); err != nil {
		return err
	}
	if s.id, err = f.place("id"); err != nil {
		return err
	}
	if s.timestamp, err = f.place("timestamp"); err != nil {
		return err
	}
	if s.tolerance, err = f.tolerance(); err != nil {
		return err
	}
	return s.checkHMAC(f)
}

// checkHMAC checks what the keys of an hmac signature must be to each other.
func (s *signature) checkHMAC(f fields) (err error) {
	template := "{body}"
	if f.has("content") {
		if template, err = f.text("content"); err != nil {
			return err
		}
	}
	if s.content, err = parseContent(template); err != nil {
		return f.errorf("content", "%v", err)
	}
	usesKeys := s.key != "" || s.id.key != "" || s.timestamp.key != ""
	switch {
	case usesKeys && s.separator == "":
		return f.errorf("key", "a header of key=value entries needs a separator, as in `separator: \",\"`")
	case usesKeys && s.key == "":
		return f.errorf("key", "is missing: which of the entries is the signature, as in `key: v1`")
	case s.key != "" && s.prefix != "":
		return f.errorf("prefix", "and key exclude each other: an entry key=value has no prefix")
	case s.prefixOptional && s.prefix == "":
		return f.errorf("prefix_optional", "there is no prefix")
	case s.has(segID) != s.id.given():
		return f.errorf("id", "{id} in content and the place of the id belong together: give both or neither")
	case s.has(segTimestamp) != s.timestamp.given():
		return f.errorf("timestamp", "{timestamp} in content and the place of the timestamp belong together: a time that is not signed proves nothing")
	case f.has("tolerance") && !s.timestamp.given():
		return f.errorf("tolerance", "without a signed timestamp there is no replay window")
	case strings.Trim(s.separator, " \t") == "" && s.separator != "" && s.separator != " ":
		return f.errorf("separator", "white space other than one space cannot separate")
	}
	return nil
}

func (s *signature) parseStandard(f fields) (err error) {
	if s.tolerance, err = f.tolerance(); err != nil {
		return err
	}
	if s.families, err = f.texts("header_prefixes"); err != nil {
		return err
	}
	if len(s.families) == 0 {
		s.families = []string{"webhook-", "svix-"}
	}
	for i, p := range s.families {
		if !isToken(p) {
			return f.itemErrorf("header_prefixes", i, "%q cannot begin a header's name", p)
		}
		s.families[i] = http.CanonicalHeaderKey(p)
	}
	return nil
}

func (s *signature) parseToken(f fields) (err error) {
	if s.header, err = f.headerName("header"); err != nil {
		return err
	}
	if s.prefix, err = f.text("prefix"); err != nil {
		return err
	}
	if s.path, err = f.flag("path"); err != nil {
		return err
	}
	if s.header == "" && !s.path {
		return f.r.errorf(f.at, "signature: a token stands in a header (`header: X-Token`), in the path /in/{source}/{token} (`path: true`), or in either")
	}
	return nil
}

// has reports whether the content has a part of that kind.
func (s *signature) has(k segmentKind) bool {
	for _, seg := range s.content {
		if seg.kind == k {
			return true
		}
	}
	return false
}

// tolerance reads the replay window. Zero does not mean "off": there is no off.
func (f fields) tolerance() (time.Duration, error) {
	d, err := f.duration("tolerance", defaultTolerance)
	if err == nil && (d < time.Second || d > maxTolerance) {
		return 0, f.errorf("tolerance", "%v is not between 1s and %v", d, maxTolerance)
	}
	return d, err
}

// headerName reads the name of a header and returns it canonical.
func (f fields) headerName(key string) (string, error) {
	s, err := f.text(key)
	if err != nil || s == "" {
		return "", err
	}
	if !isToken(s) {
		return "", f.errorf(key, "%q is not a header's name", s)
	}
	return http.CanonicalHeaderKey(s), nil
}

// place reads where an id or a timestamp stands.
func (f fields) place(key string) (place, error) {
	if !f.has(key) {
		return place{}, nil
	}
	at, err := f.r.fields(f.values[key], f.name(key), "header", "key")
	if err != nil {
		return place{}, err
	}
	var p place
	if p.header, err = at.headerName("header"); err != nil {
		return p, err
	}
	if p.key, err = at.text("key"); err != nil {
		return p, err
	}
	if (p.header == "") == (p.key == "") {
		return p, f.errorf(key, "needs either `header:`, or `key:` for an entry of the signature's header")
	}
	return p, nil
}

// isToken reports whether s can be a header's name.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != "" && len(s) <= 128
}
