package providers

import (
	"slices"
	"strings"
)

// parseJWT reads the keys of the scheme jwt.
func (s *signature) parseJWT(f fields) (err error) {
	if s.header, err = f.headerName("header"); err != nil {
		return err
	}
	if s.header == "" {
		return f.r.errorf(f.at, "signature.header is missing: the header that carries the JWT")
	}
	if s.prefix, err = f.text("prefix"); err != nil {
		return err
	}
	if s.algorithm, err = f.word("algorithm", algorithmES256); err != nil {
		return err
	}
	if s.bodyClaim, err = f.text("body_sha256"); err != nil {
		return err
	}
	if s.bodyClaim == "" {
		return f.r.errorf(f.at, "signature.body_sha256 is missing: the claim that holds the SHA-256 of the body in hex; without one a token proves nothing about the body")
	}
	if s.tolerance, err = f.tolerance(); err != nil {
		return err
	}
	if !f.has("keys") {
		return f.r.errorf(f.at, "signature.keys is missing: where the sender's public keys are fetched from")
	}
	s.fetch, err = f.keyFetch("keys")
	return err
}

// keyFetch reads the `keys:` part.
func (f fields) keyFetch(key string) (*keyFetch, error) {
	k, err := f.r.fields(f.values[key], f.name(key), "url", "secret", "request", "key", "error_code")
	if err != nil {
		return nil, err
	}
	out := &keyFetch{}
	at, err := k.text("url")
	if err != nil {
		return nil, err
	}
	if out.url, err = keysURL(at); err != nil {
		return nil, k.errorf("url", "%q %v", at, err)
	}
	secret, err := k.text("secret")
	if err != nil {
		return nil, err
	}
	out.parts = strings.Split(secret, ":")
	for i, part := range out.parts {
		if !isName(part) || part == partKeyID || slices.Contains(out.parts[:i], part) {
			return nil, k.errorf("secret", "%q does not say what a secret is made of, as in client_id:secret", secret)
		}
	}
	if out.answer, err = k.text("key"); err != nil {
		return nil, err
	}
	if out.errorCode, err = k.text("error_code"); err != nil {
		return nil, err
	}
	out.request, err = k.keyRequest("request", out.parts)
	return out, err
}

// keyRequest reads what is posted: every part of the secret, and the key's id, have a place in it.
func (f fields) keyRequest(key string, parts []string) ([]keyRequest, error) {
	n := f.values[key]
	if n == nil {
		return nil, f.r.errorf(f.at, "%s is missing: the JSON object to post, as in {key_id: \"{kid}\"}", f.name(key))
	}
	n = resolve(n)
	var names []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		names = append(names, n.Content[i].Value)
	}
	members, err := f.r.fields(n, f.name(key), names...)
	if err != nil {
		return nil, err
	}
	var out []keyRequest
	missing := append([]string{partKeyID}, parts...)
	for _, name := range names {
		m := keyRequest{name: name}
		if m.text, err = members.text(name); err != nil {
			return nil, err
		}
		if inner, ok := strings.CutPrefix(m.text, "{"); ok {
			if m.part, ok = strings.CutSuffix(inner, "}"); !ok || m.part != partKeyID && !slices.Contains(parts, m.part) {
				return nil, members.errorf(name, "%q is none of {%s}, {%s}", m.text, partKeyID, strings.Join(parts, "}, {"))
			}
			missing = slices.DeleteFunc(missing, func(s string) bool { return s == m.part })
		}
		out = append(out, m)
	}
	if len(missing) > 0 {
		return nil, f.errorf(key, "{%s} stands nowhere in it", missing[0])
	}
	return out, nil
}
