package providers

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// Fixture is a payload, and what a definition's mapping is to read out of it.
type Fixture struct {
	// Name says what the payload shows. It is unique in its archive.
	Name string
	// Body is the payload.
	Body []byte
	// Form says that the body is a form's, not JSON.
	Form bool
	// Headers are lines of "name: value", the sender's headers that matter.
	Headers string
	// Want is what Describe says of the observation; "" where nobody said yet.
	Want string
}

// Fixtures are an archive of fixtures in the txtar format: a comment, and parts
// that begin with a line "-- NAME.json --" (a body), "-- NAME.form --" (a form's
// body), "-- NAME.headers --" or "-- NAME.want --".
type Fixtures struct {
	Comment string
	List    []Fixture
}

//go:embed testdata/*.txtar
var embeddedFixtures embed.FS

// BuiltinFixtures returns the fixtures of a built-in definition.
func BuiltinFixtures(name string) (*Fixtures, error) {
	data, err := embeddedFixtures.ReadFile("testdata/" + name + ".txtar")
	if err != nil {
		return nil, fmt.Errorf("no fixtures are built in for the provider %q", name)
	}
	return ParseFixtures(name+".txtar", data)
}

// ReadFixtures reads an archive of at most 16 MiB from a file. Where there is no
// such file the error is fs.ErrNotExist.
func ReadFixtures(path string) (*Fixtures, error) {
	const most = 16 << 20
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading fixtures: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("reading fixtures: %w", err)
	}
	if len(data) > most {
		return nil, fmt.Errorf("reading fixtures: %s is longer than %d bytes", path, most)
	}
	return ParseFixtures(path, data)
}

// ParseFixtures reads an archive. file is what its errors call it.
func ParseFixtures(file string, data []byte) (*Fixtures, error) {
	archive := txtar.Parse(data)
	out := &Fixtures{Comment: string(archive.Comment)}
	at, parts := map[string]int{}, map[string]string{}
	for _, part := range archive.Files {
		name, kind, ok := cutLast(part.Name)
		if !ok || name == "" {
			return nil, fmt.Errorf("%s: the part %q is none of NAME.json, NAME.form, NAME.headers and NAME.want", file, part.Name)
		}
		if _, twice := parts[part.Name]; twice {
			return nil, fmt.Errorf("%s: the part %q is there twice", file, part.Name)
		}
		parts[part.Name] = string(part.Data)
		if kind != "json" && kind != "form" {
			continue
		}
		if _, twice := at[name]; twice {
			return nil, fmt.Errorf("%s: the fixture %q has two bodies", file, name)
		}
		f := Fixture{Name: name, Body: part.Data, Form: kind == "form"}
		if f.Form {
			// The archive ends every part with a newline, and a form has none.
			f.Body = bytes.TrimSuffix(f.Body, []byte("\n"))
		}
		at[name] = len(out.List)
		out.List = append(out.List, f)
	}
	for _, part := range archive.Files {
		name, kind, _ := cutLast(part.Name)
		i, ok := at[name]
		if !ok {
			return nil, fmt.Errorf("%s: there is a part %q and no body %s.json", file, part.Name, name)
		}
		switch kind {
		case "headers":
			out.List[i].Headers = parts[part.Name]
			if line := badHeader(out.List[i].Headers); line != "" {
				return nil, fmt.Errorf("%s: the line %q in %s is no header, as in \"x-event: ping\"", file, line, part.Name)
			}
		case "want":
			out.List[i].Want = parts[part.Name]
		}
	}
	return out, nil
}

// cutLast takes the name of a part apart.
func cutLast(part string) (name, kind string, ok bool) {
	i := strings.LastIndexByte(part, '.')
	if i < 0 {
		return "", "", false
	}
	name, kind = part[:i], part[i+1:]
	return name, kind, kind == "json" || kind == "form" || kind == "headers" || kind == "want"
}

// Format writes the archive, each fixture's parts in a row.
func (f *Fixtures) Format() []byte {
	out := &txtar.Archive{Comment: []byte(f.Comment)}
	add := func(name string, data []byte) {
		if len(data) > 0 {
			out.Files = append(out.Files, txtar.File{Name: name, Data: data})
		}
	}
	for _, x := range f.List {
		kind := ".json"
		if x.Form {
			kind = ".form"
		}
		out.Files = append(out.Files, txtar.File{Name: x.Name + kind, Data: x.Body})
		add(x.Name+".headers", []byte(x.Headers))
		add(x.Name+".want", []byte(x.Want))
	}
	return txtar.Format(out)
}

// badHeader returns the first line that is no header, "" where all are.
func badHeader(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, _, ok := strings.Cut(line, ":")
		if line != "" && (!ok || !isToken(strings.TrimSpace(name))) {
			return line
		}
	}
	return ""
}

// Header returns the sender's headers. A form's body has its Content-Type.
func (x *Fixture) Header() http.Header {
	h := http.Header{}
	if x.Form {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for line := range strings.Lines(x.Headers) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Set(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return h
}

// Map reads the fixture with a mapper, as a projection reads an event: after
// what the definition redacts is a hash.
func (x *Fixture) Map(m *Mapper) (Observation, error) {
	header := x.Header().Get
	return m.Map(m.def.AsStored(x.Body, header), header)
}
