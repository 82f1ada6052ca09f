package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
)

// column is one column of a list.
type column[T any] struct {
	name string
	cell func(T) string
	tint func(T) tint // nil for none
	csv  bool         // in CSV alone: a table has no room for it
}

// printer prints a list in the format that was asked for, item by item, so
// that a list of any length needs no memory (a table needs its own).
type printer[T any] struct {
	format  format
	columns []column[T]
	colours bool

	out   *bufio.Writer
	table *tabwriter.Writer // writes to lines
	lines bytes.Buffer
	csv   *csv.Writer
	n     int
}

func newPrinter[T any](a *app, columns ...column[T]) *printer[T] {
	p := &printer[T]{format: a.format, columns: columns, colours: a.colours(), out: bufio.NewWriter(a.stdout)}
	switch p.format {
	case formatTable:
		p.table = tabwriter.NewWriter(&p.lines, 0, 0, 2, ' ', 0)
	case formatCSV:
		p.csv = csv.NewWriter(p.out)
	}
	return p
}

// raw prints an item as the server sent it: JSON keeps fields that this program does not know.
func (p *printer[T]) raw(item json.RawMessage) error {
	if p.format == formatJSON || p.format == formatJSONL {
		return p.json(item)
	}
	var v T
	if err := json.Unmarshal(item, &v); err != nil {
		return fmt.Errorf("the server answers in a form that this program does not read: %w", err)
	}
	return p.row(v)
}

// item prints an item of our own.
func (p *printer[T]) item(v T) error {
	if p.format == formatJSON || p.format == formatJSONL {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return p.json(b)
	}
	return p.row(v)
}

func (p *printer[T]) json(item []byte) error {
	var b bytes.Buffer
	if p.format == formatJSONL {
		if err := json.Compact(&b, inertJSON(item)); err != nil {
			return err
		}
		b.WriteByte('\n')
	} else {
		b.WriteString(",\n  ")
		if p.n == 0 {
			b.Reset()
			b.WriteString("[\n  ")
		}
		if err := json.Indent(&b, inertJSON(item), "  ", "  "); err != nil {
			return err
		}
	}
	p.n++
	_, err := p.out.Write(b.Bytes())
	return err
}

func (p *printer[T]) row(v T) error {
	if p.n == 0 {
		if err := p.header(); err != nil {
			return err
		}
	}
	p.n++
	var cells []string
	for _, c := range p.columns {
		switch {
		case p.csv != nil:
			cells = append(cells, csvCell(escape(c.cell(v), "")))
		case !c.csv:
			s := inert(c.cell(v))
			if c.tint != nil && p.colours {
				s = c.tint(v).paint(s)
			}
			cells = append(cells, s)
		}
	}
	return p.write(cells)
}

func (p *printer[T]) header() error {
	var cells []string
	for _, c := range p.columns {
		switch {
		case p.csv != nil:
			cells = append(cells, strings.ReplaceAll(strings.ToLower(c.name), " ", "_"))
		case !c.csv:
			s := strings.ToUpper(c.name)
			if c.tint != nil && p.colours {
				s = plain.paint(s)
			}
			cells = append(cells, s)
		}
	}
	return p.write(cells)
}

func (p *printer[T]) write(cells []string) error {
	if p.csv != nil {
		return p.csv.Write(cells)
	}
	_, err := fmt.Fprintln(p.table, strings.Join(cells, "\t"))
	return err
}

// close ends the list. An empty one is an empty array in JSON, a header in
// CSV, and nothing in a table.
func (p *printer[T]) close() error {
	switch {
	case p.format == formatJSON && p.n == 0:
		fmt.Fprint(p.out, "[]\n")
	case p.format == formatJSON:
		fmt.Fprint(p.out, "\n]\n")
	case p.csv != nil:
		if p.n == 0 {
			if err := p.header(); err != nil {
				return err
			}
		}
		p.csv.Flush()
		if err := p.csv.Error(); err != nil {
			return err
		}
	case p.table != nil:
		if err := p.table.Flush(); err != nil {
			return err
		}
		for line := range bytes.Lines(p.lines.Bytes()) {
			fmt.Fprintf(p.out, "%s\n", bytes.TrimRight(line, " \n"))
		}
	}
	return p.out.Flush()
}

// printJSON prints one object, as the server sent it, in either JSON format.
func (a *app) printJSON(object []byte) error {
	var b bytes.Buffer
	object = inertJSON(object)
	var err error
	if a.format == formatJSONL {
		err = json.Compact(&b, object)
	} else {
		err = json.Indent(&b, object, "", "  ")
	}
	if err != nil {
		return fmt.Errorf("the server answers in a form that this program does not read: %w", err)
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", bytes.TrimSpace(b.Bytes()))
	return err
}

// say prints what stands around a table for people; data in another format has
// no place for it.
func (a *app) say(format string, args ...any) {
	if a.format == formatTable {
		fmt.Fprintf(a.stdout, format, args...)
	}
}
