package config

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// schemaNode is as much of JSON Schema as the configuration needs.
type schemaNode struct {
	Schema      string                 `json:"$schema,omitempty"`
	ID          string                 `json:"$id,omitempty"`
	Title       string                 `json:"title,omitempty"`
	Description string                 `json:"description,omitempty"`
	Type        any                    `json:"type,omitempty"`
	Properties  map[string]*schemaNode `json:"properties,omitempty"`
	Additional  any                    `json:"additionalProperties,omitempty"`
	Names       *schemaNode            `json:"propertyNames,omitempty"`
	Required    []string               `json:"required,omitempty"`
	Items       *schemaNode            `json:"items,omitempty"`
	AnyOf       []*schemaNode          `json:"anyOf,omitempty"`
	Enum        []string               `json:"enum,omitempty"`
	Pattern     string                 `json:"pattern,omitempty"`
	Minimum     *int                   `json:"minimum,omitempty"`
	Default     any                    `json:"default,omitempty"`
}

const (
	durationPattern = `^([0-9]+d|0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`
	sizePattern     = `^[0-9]+(\.[0-9]+)? ?(B|KiB|MiB|GiB|KB|MB|GB)$`
	ratePattern     = `^(unlimited|[1-9][0-9]*/(s|min|h|d)( burst [1-9][0-9]*)?)$`
)

// Schema returns a JSON Schema (2020-12) of autoclave.toml, for editors. It
// knows all keys and forms; what keys must say of each other only Load knows.
func Schema() []byte {
	keys, sections := exampleKeys()
	s := schemaMaker{docs: map[string]exampleKey{}, sections: map[string]string{}}
	for _, k := range keys {
		if path := anyName(k.section) + "." + k.key; s.docs[path].doc == "" {
			s.docs[path] = k
		}
	}
	for name, doc := range sections {
		if s.sections[anyName(name)] == "" || name == "servers.github" {
			s.sections[anyName(name)] = doc
		}
	}
	root := s.table("", reflect.TypeFor[file]())
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = FileName
	root.Description = "How Autoclave runs programs, and which MCP servers they reach."
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("config: the schema does not marshal: " + err.Error())
	}
	return append(b, '\n')
}

// anyName replaces the names that the example made up.
func anyName(section string) string {
	for _, table := range []string{"servers.", "groups."} {
		if strings.HasPrefix(section, table) {
			return table + "*"
		}
	}
	return section
}

type schemaMaker struct {
	docs     map[string]exampleKey // by path
	sections map[string]string
}

func (s schemaMaker) table(path string, t reflect.Type) *schemaNode {
	n := &schemaNode{Type: "object", Properties: map[string]*schemaNode{}, Additional: false, Description: s.sections[path]}
	for _, f := range reflect.VisibleFields(t) {
		key := f.Tag.Get("toml")
		p := strings.TrimPrefix(path+"."+key, ".")
		child := s.value(p, f.Type, f.Tag)
		if k, ok := s.docs[p]; ok {
			child.Description = k.doc
			if k.hasDefault {
				child.Default = tomlValue(k.value)
			}
		}
		n.Properties[key] = child
	}
	switch path {
	case "rule":
		n.Required = []string{"action"}
	case "http.token":
		n.Required = []string{"principal", "token"}
	case "http.jwt":
		n.Required = []string{"issuer", "audience"}
	case "groups.*":
		n.Required = []string{"servers"}
	}
	return n
}

func (s schemaMaker) value(path string, t reflect.Type, tag reflect.StructTag) *schemaNode {
	text := func() *schemaNode { return &schemaNode{Type: "string"} }
	switch {
	case t == durationType:
		return withWords(&schemaNode{Type: "string", Pattern: durationPattern}, tag)
	case t == rateType:
		return &schemaNode{Type: "string", Pattern: ratePattern}
	case t == listType:
		return &schemaNode{AnyOf: []*schemaNode{text(), {Type: "array", Items: text()}}}
	case tag.Get("unit") == "size":
		return withWords(&schemaNode{Type: "string", Pattern: sizePattern}, tag)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.value(path, t.Elem(), tag)
	case reflect.String:
		n := text()
		if words := tag.Get("enum"); words != "" {
			n.Enum = strings.Split(words, ",")
		}
		return n
	case reflect.Bool:
		return &schemaNode{Type: "boolean"}
	case reflect.Int:
		least := 1
		if tag.Get("zero") != "" {
			least = 0
		}
		return withWords(&schemaNode{Type: "integer", Minimum: &least}, tag)
	case reflect.Slice:
		return &schemaNode{Type: "array", Items: s.value(path, t.Elem(), tag), Description: s.sections[path]}
	case reflect.Map:
		n := &schemaNode{Type: "object", Additional: s.value(path+".*", t.Elem(), tag)}
		if path == "servers" {
			n.Names = &schemaNode{Pattern: serverName.String()}
		}
		return n
	case reflect.Struct:
		return s.table(path, t)
	}
	panic("config: a section has a field of type " + t.String())
}

// withWords lets the words of the key stand for the value.
func withWords(n *schemaNode, tag reflect.StructTag) *schemaNode {
	var words []string
	for _, name := range []string{"zero", "neg"} {
		if w := tag.Get(name); w != "" {
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return n
	}
	return &schemaNode{AnyOf: []*schemaNode{n, {Type: "string", Enum: words}}}
}

func tomlValue(text string) any {
	var doc struct{ V any }
	if err := toml.Unmarshal([]byte("V = "+text), &doc); err != nil {
		panic("config: the example has " + text + ": " + err.Error())
	}
	return doc.V
}
