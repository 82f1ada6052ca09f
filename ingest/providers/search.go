package providers

import (
	"crypto/hmac"
	"net/http"
	"strings"
)

// Bounds of a search: what a request brings is not trusted to be small.
const (
	searchHeaders    = 64
	searchSignatures = 32
	searchPlaces     = 8        // ids, and timestamps
	searchBytes      = 64 << 20 // hashed in all, about a tenth of a second
)

// Constructions returns the ways in which the secret signs the captured request,
// likeliest first; none where the secret is another or the request was changed.
// It tries hundreds of ways and takes up to a few tenths of a second: it is for
// people who set a provider up, and for a log that is rate-limited.
func Constructions(r Request, secret Secret) []Construction {
	return constructions(r, secret, searchBytes)
}

// constructions is Constructions with a bound of its own on the bytes that are hashed.
func constructions(r Request, secret Secret, budget int) []Construction {
	s := &search{request: r, secret: secret.Reveal(), budget: budget}
	if s.secret == "" {
		return nil
	}
	s.collect()
	s.plain()
	s.hashed()
	s.unusual()
	s.sum()
	return s.found
}

// search is one run over a request.
type search struct {
	request    Request
	secret     string
	names      []string // of the headers, sorted
	signatures []capturedSignature
	times      []capturedPlace
	ids        []capturedPlace
	budget     int
	found      []Construction
}

// plain looks for the secret itself, and for Standard Webhooks' public keys.
func (s *search) plain() {
	secrets := hashSecrets([]Secret{NewSecret(s.secret)})
	if s.request.Token != "" && secrets.contain(s.request.Token) == 1 {
		s.found = append(s.found, Construction{Scheme: "token"})
	}
	for _, name := range s.names {
		for _, value := range s.request.Header[name] {
			for _, prefix := range []string{"", "Bearer ", "Token "} {
				if token, ok := strings.CutPrefix(value, prefix); ok && len(token) <= maxHeader && secrets.contain(token) == 1 {
					s.found = append(s.found, Construction{Scheme: "token", Header: name, Prefix: prefix})
				}
			}
		}
	}
	if basic, err := newBasicScheme([]Secret{NewSecret(s.secret)}); err == nil && len(s.request.Header["Authorization"]) == 1 {
		if user, password, ok := (&http.Request{Header: s.request.Header}).BasicAuth(); ok && basic.secrets.contain(user+":"+password) == 1 {
			s.found = append(s.found, Construction{Scheme: "basic"})
		}
	}
	if key, err := parseStandardKey(s.secret); err == nil && key.public != nil {
		s.foundPublic(key)
	}
}

// foundPublic tries the version v1a of Standard Webhooks.
func (s *search) foundPublic(key standardKey) {
	for _, family := range []string{"Webhook-", "Svix-"} {
		names := headersOf(family)
		scheme := &standardScheme{publics: nil}
		scheme.publics = append(scheme.publics, key.public)
		var sigs candidates
		for _, entry := range strings.SplitN(s.request.Header.Get(names.signature), " ", maxSignatures) {
			if text, ok := strings.CutPrefix(entry, "v1a,"); ok && sigs.add(text) != nil {
				break
			}
		}
		id, timestamp := s.request.Header.Get(names.id), s.request.Header.Get(names.timestamp)
		if scheme.matchPublic(&sigs, id, timestamp, s.request.Body) == 1 {
			s.found = append(s.found, Construction{Scheme: "standard-webhooks", Header: names.signature})
		}
	}
}

// secretForm is one reading of the configured secret as a key.
type secretForm struct {
	key              []byte
	encoding, prefix string
	caveat           string
}

// forms lists the readings of the secret.
func (s *search) forms() []secretForm {
	var out []secretForm
	add := func(text, prefix, caveat string) {
		for _, encoding := range []string{"utf8", "base64", "hex"} {
			if key, problem := decodeSecret(text, encoding, ""); problem == "" {
				out = append(out, secretForm{key, encoding, prefix, caveat})
			}
		}
	}
	add(s.secret, "", "")
	if i := strings.IndexByte(s.secret, '_'); i > 0 && i < 12 && i+1 < len(s.secret) {
		add(s.secret[i+1:], s.secret[:i+1], "")
	}
	if trimmed := strings.TrimSpace(s.secret); trimmed != s.secret && trimmed != "" {
		add(trimmed, "", "the configured secret has white space around it that does not belong to it")
	} else {
		out = append(out, secretForm{[]byte(s.secret + "\n"), "utf8", "", "the sender's secret ends with a newline"})
		if !strings.HasPrefix(s.secret, "whsec_") {
			out = append(out, secretForm{[]byte("whsec_" + s.secret), "utf8", "", "the sender's secret begins with whsec_, which the configured one lacks: this sender uses it as it is"})
		}
	}
	return out
}

// searchTemplates are the contents that are tried, usual ones first.
var searchTemplates = []string{
	"{body}", "{timestamp}.{body}", "{id}.{timestamp}.{body}", "v0:{timestamp}:{body}", "{timestamp}:{body}", "{timestamp},{body}",
	"v1:{timestamp}:{body}", "{id}.{body}", "{body}.{timestamp}", "{timestamp}\n{body}", "{timestamp}|{body}",
}

// hashed tries every reading of the secret over every content.
func (s *search) hashed() {
	if len(s.signatures) == 0 {
		return
	}
	forms := s.forms()
	for _, body := range s.bodies() {
		for _, template := range searchTemplates {
			content, err := parseContent(template)
			if err != nil {
				panic(err) // the templates are constant and good
			}
			s.over(content, template, body, forms)
		}
	}
}

// over tries every reading of the secret with every id and every time.
func (s *search) over(content []segment, template string, body bodyForm, forms []secretForm) {
	probe := signature{content: content}
	ids, times := []capturedPlace{{}}, []capturedPlace{{}}
	if probe.has(segID) {
		ids = s.ids
	}
	if probe.has(segTimestamp) {
		times = s.times
	}
	for _, id := range ids {
		for _, at := range times {
			for _, form := range forms {
				s.try(content, template, body, form, id, at)
			}
		}
	}
}

// try compares one construction with all signatures.
func (s *search) try(content []segment, template string, body bodyForm, form secretForm, id, at capturedPlace) {
	sums := map[string][]byte{}
	for _, sig := range s.signatures {
		if at.key != "" && (at.header != sig.Header || at.key == sig.Key) {
			continue
		}
		sum := sums[sig.Algorithm]
		if sum == nil {
			if s.budget -= len(body.body) + 256; s.budget < 0 {
				return
			}
			m := newHMACKey(sig.Algorithm, form.key).get()
			m.write(content, id.value, at.value, body.body)
			sum = m.h.Sum(nil)
			sums[sig.Algorithm] = sum
		}
		if !hmac.Equal(sum, sig.bytes) {
			continue
		}
		c := sig.Construction
		c.Scheme, c.Content, c.SecretEncoding, c.SecretPrefix = "hmac", template, form.encoding, form.prefix
		c.IDHeader, c.TimestampKey = id.header, at.key
		if at.key == "" {
			c.TimestampHeader = at.header
		}
		for _, caveat := range []string{body.caveat, form.caveat, sig.caveat} {
			if caveat != "" {
				c.Caveats = append(c.Caveats, caveat)
			}
		}
		s.found = append(s.found, c.asStandard())
	}
}

// asStandard recognises Standard Webhooks in its parts.
func (c Construction) asStandard() Construction {
	family, ok := strings.CutSuffix(c.Header, "Signature")
	if ok && c.Content == "{id}.{timestamp}.{body}" && c.Prefix == "v1," && c.Algorithm == "sha256" && c.SecretEncoding == "base64" &&
		(c.SecretPrefix == "" || c.SecretPrefix == "whsec_") && c.IDHeader == family+"Id" && c.TimestampHeader == family+"Timestamp" {
		return Construction{Scheme: "standard-webhooks", Header: c.Header, Caveats: c.Caveats}
	}
	return c
}
