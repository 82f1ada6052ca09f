package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

func newProvidersNew(a *app) *cobra.Command {
	var extends string
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Begin a definition of your own: NAME.yaml, and its fixtures in NAME.txtar",
		Long: `Begin a definition of your own: NAME.yaml, with a comment at everything that has to be filled in, and
NAME.txtar beside it with payloads and what the definition reads out of them. Both pass "providers test" as they are.
With --extends the definition inherits another one, and says what differs. No file is overwritten.`,
		Example: "  tidemark providers new acme\n  tidemark providers new acme --extends makini",
		Args:    exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			begun, err := beginning(args[0], extends)
			if err != nil {
				return err
			}
			return a.begin(begun)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&extends, "extends", "", "inherit a built-in definition, or a file by its path")
	_ = cmd.RegisterFlagCompletionFunc("extends", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return completeDefinition(cmd, nil, typed)
	})
	return cmd
}

// begun is a definition that somebody begins.
type begun struct {
	name, text string
	// samples are its first payloads: what is read out of them is worked out.
	samples *providers.Fixtures
}

func (b *begun) definition() string { return b.name + ".yaml" }
func (b *begun) fixtures() string   { return b.name + ".txtar" }

// beginning makes up the definition, with the names that the sender's name suggests.
func beginning(name, extends string) (*begun, error) {
	title := titleOf(name)
	header := "X-" + strings.ReplaceAll(title, " ", "-") + "-Signature"
	b := &begun{name: name, text: strings.NewReplacer("NAME", name, "TITLE", title, "HEADER", header).Replace(skeleton)}
	if extends == "" {
		var err error
		if b.samples, err = providers.ParseFixtures(b.fixtures(), []byte(strings.ReplaceAll(skeletonSamples, "TITLE", title))); err != nil {
			return nil, err
		}
		_, err = providers.Parse(b.definition(), []byte(b.text))
		return b, badName(err, name)
	}
	base, err := loadDefinition(extends)
	if err != nil {
		return nil, err
	}
	differs := "title: " + title
	if base.Scheme() == "hmac" {
		differs = "signature: {header: " + header + "}"
	}
	named := extends
	if strings.ContainsFunc(extends, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(":#'\"[]{},&*!|>%@`", r) }) {
		named = strconv.Quote(extends) // a path with blanks, say
	}
	b.text = fmt.Sprintf("name: %s\nextends: %s\n%s\n", name, named, differs)
	_, err = providers.Parse(b.definition(), []byte(fmt.Sprintf("name: %s\nextends: makini\n", name)))
	if err != nil {
		return nil, badName(err, name)
	}
	b.samples, err = sampleOf(base, extends)
	return b, err
}

func badName(err error, name string) error {
	if err == nil {
		return nil
	}
	return usage(fmt.Errorf("%q cannot name a definition: 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit", name), "as in: acme, or acme-sync")
}

// titleOf is a name for people: acme-sync is Acme Sync.
func titleOf(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' })
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// sampleOf is a first payload for a definition that extends another: the first of that
// one's own, else one that its mapping reads.
func sampleOf(base *providers.Definition, extends string) (*providers.Fixtures, error) {
	var all *providers.Fixtures
	var err error
	if slices.Contains(providers.Builtin(), extends) {
		all, err = providers.BuiltinFixtures(extends)
	} else {
		all, err = providers.ReadFixtures(strings.TrimSuffix(extends, filepath.Ext(extends)) + ".txtar")
	}
	if err == nil && len(all.List) > 0 {
		return &providers.Fixtures{List: all.List[:1]}, nil
	}
	body, err := base.Compose(providers.Sample{ID: "evt_1", Type: "connection.online", Connection: "conn_42"})
	if err != nil {
		return nil, fmt.Errorf("a first payload: %w", err)
	}
	return &providers.Fixtures{List: []providers.Fixture{{Name: "first", Body: append(body, '\n')}}}, nil
}

// begin writes the files, and takes them away again where they do not fit each other.
func (a *app) begin(b *begun) (err error) {
	for _, path := range []string{b.definition(), b.fixtures()} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return usage(fmt.Errorf("%s is there already, and nothing was written", path), "another name, or look at it first: "+a.self+" providers test ./"+b.definition())
		}
	}
	if err := writeNew(b.definition(), []byte(b.text)); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(b.definition()))
		}
	}()
	d, err := providers.Load("./" + b.definition())
	if err != nil {
		return err
	}
	m := d.NewMapper()
	for i := range b.samples.List {
		x := &b.samples.List[i]
		x.Want = providers.Describe(x.Map(m))
	}
	if err := writeNew(b.fixtures(), b.samples.Format()); err != nil {
		return err
	}
	if a.format == formatJSON || a.format == formatJSONL {
		out, err := json.Marshal(map[string]string{"definition": b.definition(), "fixtures": b.fixtures()})
		if err != nil {
			return err
		}
		return a.printJSON(out)
	}
	fmt.Fprintf(a.stdout, "%s\n%s\n", b.definition(), b.fixtures())
	fmt.Fprintf(a.stderr, "next: put in what the sender calls things, its payloads too, and see what is read out of them: %s providers test ./%s\n", a.self, b.definition())
	return nil
}

// writeNew writes a file that is not there yet.
func writeNew(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}
