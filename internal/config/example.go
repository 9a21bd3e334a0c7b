package config

import (
	_ "embed"
	"strings"
)

//go:embed example.toml
var exampleText string

// Example returns the commented example of an autoclave.toml. It has every key
// with its meaning, its unit and its default. As it is it changes nothing: what
// is in it is commented out.
func Example() string { return exampleText }

// exampleKey is a key as the example shows it.
type exampleKey struct {
	// section is the header that it stands below: "limits", "servers.github",
	// "rule".
	section, key string
	// value is TOML.
	value string
	// doc is the comment above it.
	doc string
	// hasDefault says that value is the default.
	hasDefault bool
}

const noDefault = "No default."

// exampleKeys takes the example apart, into keys and the texts about sections.
func exampleKeys() (keys []exampleKey, sections map[string]string) {
	sections = map[string]string{}
	section := ""
	var doc, paragraph []string // the comment so far, and the one before the last empty line
	for line := range strings.Lines(exampleText) {
		line = strings.TrimSuffix(line, "\n")
		// A key is "#key = ", prose is "# text".
		code, _ := strings.CutPrefix(line, "#")
		switch {
		case strings.HasPrefix(line, "# ---"):
			doc = nil
		case strings.HasPrefix(line, "# "):
			doc = append(doc, line[2:])
		case strings.HasPrefix(code, "["):
			section = strings.Trim(code, "[]")
			if len(doc) == 0 {
				doc = paragraph
			}
			sections[section] = strings.Join(doc, " ")
			doc, paragraph = nil, nil
		case strings.Contains(code, " = "):
			key, value, _ := strings.Cut(code, " = ")
			k := exampleKey{section: section, key: key, value: value, hasDefault: true}
			text := strings.Join(doc, " ")
			if rest, ok := strings.CutSuffix(text, noDefault); ok {
				text, k.hasDefault = strings.TrimSpace(rest), false
			}
			k.doc = text
			keys, doc = append(keys, k), nil
		case line == "":
			paragraph, doc = doc, nil
		default:
			doc = nil
		}
	}
	return keys, sections
}
