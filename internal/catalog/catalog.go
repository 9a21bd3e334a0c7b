package catalog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tool is a tool as its server describes it.
type Tool struct {
	// Name is exact: it is what calls must give. At most MaxName bytes.
	Name        string
	Title       string
	Description string
	// InputSchema and OutputSchema are JSON Schemas (2020-12 or draft-07) or
	// empty. They are never modified and must not be by others.
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage
	// The server's hints; nil where it gives none.
	ReadOnly, Destructive, Idempotent, OpenWorld *bool
}

// Resource is a resource as its server describes it.
type Resource struct {
	URI         string `json:"uri"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	MimeType    string `json:"mimeType,omitempty"`
}

// ResourceTemplate is a resource template as its server describes it.
type ResourceTemplate struct {
	URITemplate string `json:"uriTemplate"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	MimeType    string `json:"mimeType,omitempty"`
}

// Server is what one server offers, or why it offers nothing.
type Server struct {
	// Name is the name under which programs reach it.
	Name string
	// Description is what is known of it: what its operator wrote, else its
	// instructions or title. One sentence of it is shown; the first tools where
	// there is none.
	Description string
	Version     string
	Tools       []Tool
	Resources   []Resource
	Templates   []ResourceTemplate
	// Problem is why the server is missing; empty where it is not.
	Problem string
	// CodeMode says that the server is itself one that takes programs. New
	// also sets it where the tools look like it.
	CodeMode bool
}

// What a catalog takes from one server. What is beyond is left out, and said
// in ServerInfo.Notes.
const (
	// MaxName is how long the name of a tool or server may be, in bytes.
	MaxName = 256
	// MaxTools is how many tools one server may have.
	MaxTools = 5000
	// MaxResources is how many resources, and how many templates.
	MaxResources = 20000
	// MaxURI is how long the URI of a resource may be, in bytes.
	MaxURI = 8192
	// maxSchema is how long one schema may be, in bytes: a longer one is not
	// looked into, and its type is unknown.
	maxSchema = 512 << 10
	// maxSchemas is how many bytes of schemas of one server are looked into.
	maxSchemas = 8 << 20
	// maxNotes is how many oddities of one server are kept.
	maxNotes = 20
)

// Lengths to which texts are cut, in characters.
const (
	lineLength        = 200  // the one line that stands for a tool or server
	descriptionLength = 4000 // a tool's description in its declaration
	argumentLength    = 500  // an argument's
)

// ServerInfo is a server in a sentence.
type ServerInfo struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Version     string `json:"version,omitempty"`
	Tools       int    `json:"tools"`
	Resources   int    `json:"resources,omitempty"`
	Templates   int    `json:"templates,omitempty"`
	// Problem is why the server is missing; empty where it is not.
	Problem string `json:"problem,omitempty"`
	// CodeMode says that the server has a search and an execute of its own;
	// Description says it too.
	CodeMode bool `json:"codeMode,omitempty"`
	// Notes says what New left out of the server's lists, or could not read.
	Notes []string `json:"-"`
}

// Catalog is an immutable index of servers and their tools. Its methods are
// safe for concurrent use. Make one with New.
type Catalog struct {
	version string
	servers []*server // by name
	byName  map[string]*server
	tools   []*tool // all of them: a document of the index is a place in it
	index   *index
}

type server struct {
	info      ServerInfo
	tools     []*tool // in the server's order
	byName    map[string]*tool
	resources []Resource
	templates []ResourceTemplate
}

type tool struct {
	Tool          // with cleaned texts
	server        *server
	line          string // one line of Title or Description
	deprecated    bool   // its description says so
	input, output *schemaType
}

// New returns the catalog of the given servers. It never fails: what is odd is
// repaired or left out, and said in the server's notes. Of two servers with one
// name the first stays, and of two tools. A server whose own name is empty, not
// UTF-8 or longer than MaxName is left out.
//
// It keeps the schemas that it was given, and copies all else.
func New(servers []Server) *Catalog {
	c := &Catalog{byName: make(map[string]*server, len(servers))}
	for i := range servers {
		s := newServer(&servers[i])
		if s == nil {
			continue
		}
		if first, ok := c.byName[s.info.Name]; ok {
			first.note("another server of the same name was left out")
			continue
		}
		c.byName[s.info.Name] = s
		c.servers = append(c.servers, s)
	}
	slices.SortFunc(c.servers, func(a, b *server) int { return strings.Compare(a.info.Name, b.info.Name) })
	for _, s := range c.servers {
		c.tools = append(c.tools, s.tools...)
	}
	c.index = newIndex(c.tools)
	c.version = c.hash()
	return c
}

func (s *server) note(format string, args ...any) {
	if len(s.info.Notes) < maxNotes {
		s.info.Notes = append(s.info.Notes, fmt.Sprintf(format, args...))
	}
}

func newServer(in *Server) *server {
	if in.Name == "" || len(in.Name) > MaxName || !utf8.ValidString(in.Name) {
		return nil
	}
	s := &server{
		info: ServerInfo{
			Name:        in.Name,
			Description: firstSentence(Clean(in.Description, descriptionLength), lineLength),
			Version:     OneLine(in.Version, 64),
			Problem:     OneLine(in.Problem, 2*lineLength),
			CodeMode:    in.CodeMode,
		},
		byName: make(map[string]*tool, min(len(in.Tools), MaxTools)),
	}
	left := maxSchemas
	for i := range in.Tools {
		t := &in.Tools[i]
		switch {
		case len(s.tools) == MaxTools:
			s.note("it has more than %d tools: the rest was left out", MaxTools)
		case t.Name == "" || len(t.Name) > MaxName || !utf8.ValidString(t.Name):
			s.note("tool %d was left out: its name has %d bytes, it must be UTF-8 of 1 to %d", i+1, len(t.Name), MaxName)
			continue
		case s.byName[t.Name] != nil:
			s.note("a second tool %s was left out", quoteName(t.Name))
			continue
		default:
			s.add(t, &left)
			continue
		}
		break
	}
	s.addResources(in)
	s.info.Tools = len(s.tools)
	if s.info.Description == "" && len(s.tools) > 0 {
		var some []string
		for _, t := range s.tools[:min(len(s.tools), 6)] {
			some = append(some, cut(label(t.Name), 60))
		}
		if len(s.tools) > len(some) {
			some = append(some, "…")
		}
		s.info.Description = cut(strings.Join(some, ", "), lineLength)
	}
	s.info.CodeMode = s.info.CodeMode || codeMode(s)
	if s.info.CodeMode {
		s.info.Description = strings.TrimSpace(s.info.Description + " " + codeModeSentence)
	}
	return s
}

func (s *server) add(in *Tool, left *int) {
	t := &tool{Tool: *in, server: s}
	t.Title = OneLine(in.Title, 100)
	t.Description = Clean(in.Description, descriptionLength)
	if t.line = firstSentence(t.Description, lineLength); t.line == "" {
		t.line = t.Title
	}
	if t.deprecated = strings.Contains(strings.ToLower(t.Description), "deprecated"); t.deprecated && !strings.Contains(strings.ToLower(t.line), "deprecated") {
		t.line += " (deprecated)"
	}
	read := func(kind string, result bool, raw json.RawMessage) *schemaType {
		name := pascal(t.Name) + "Args"
		if result {
			name = pascal(t.Name) + "Result"
		}
		if len(raw) == 0 || string(raw) == "null" {
			return nil
		}
		if len(raw) > *left {
			s.note("tool %s: its %s was not read: the schemas of the server are longer than %d bytes", quoteName(t.Name), kind, maxSchemas)
			return cutSchema("its schema was too large to be read")
		}
		*left -= min(len(raw), maxSchema)
		st, err := readSchema(raw, name, result)
		if err != nil {
			s.note("tool %s: its %s was not read: %v", quoteName(t.Name), kind, err)
			return cutSchema("its schema could not be read")
		}
		return st
	}
	t.input = read("input schema", false, in.InputSchema)
	t.output = read("output schema", true, in.OutputSchema)
	s.tools = append(s.tools, t)
	s.byName[t.Name] = t
}

func (s *server) addResources(in *Server) {
	fits := func(uri string) bool { return uri != "" && len(uri) <= MaxURI && utf8.ValidString(uri) }
	left := 0
	for _, r := range in.Resources {
		if len(s.resources) == MaxResources || !fits(r.URI) {
			left++
			continue
		}
		s.resources = append(s.resources, Resource{r.URI, OneLine(r.Name, lineLength), OneLine(r.Description, argumentLength), OneLine(r.MimeType, 100)})
	}
	for _, r := range in.Templates {
		if len(s.templates) == MaxResources || !fits(r.URITemplate) {
			left++
			continue
		}
		s.templates = append(s.templates, ResourceTemplate{r.URITemplate, OneLine(r.Name, lineLength), OneLine(r.Description, argumentLength), OneLine(r.MimeType, 100)})
	}
	if left > 0 {
		s.note("%d resources were left out: a server may have %d with URIs of 1 to %d bytes", left, MaxResources, MaxURI)
	}
	s.info.Resources, s.info.Templates = len(s.resources), len(s.templates)
}

// hash is over all that a reader of the catalog could notice.
func (c *Catalog) hash() string {
	h := sha256.New()
	text := func(texts ...string) {
		for _, s := range texts {
			fmt.Fprintf(h, "%d:%s", len(s), s)
		}
	}
	for _, s := range c.servers {
		text("server", s.info.Name, s.info.Description, s.info.Version, s.info.Problem, fmt.Sprint(s.info.CodeMode))
		for _, t := range s.tools {
			text("tool", t.Name, t.Title, t.Description, string(t.InputSchema), string(t.OutputSchema))
			for _, hint := range []*bool{t.ReadOnly, t.Destructive, t.Idempotent, t.OpenWorld} {
				if hint == nil {
					text("?")
				} else {
					text(fmt.Sprint(*hint))
				}
			}
		}
		for _, r := range s.resources {
			text("resource", r.URI, r.Name, r.Description, r.MimeType)
		}
		for _, r := range s.templates {
			text("template", r.URITemplate, r.Name, r.Description, r.MimeType)
		}
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

// Version is a hash of the catalog's content: two catalogs with one version
// answer alike.
func (c *Catalog) Version() string { return c.version }

// Servers returns all servers by name, those that are missing with their
// problem.
func (c *Catalog) Servers() []ServerInfo {
	infos := make([]ServerInfo, len(c.servers))
	for i, s := range c.servers {
		infos[i] = s.info
		infos[i].Notes = slices.Clone(s.info.Notes)
	}
	return infos
}

// Lookup returns a tool by its exact names. Its texts are cleaned, its schemas
// as the server gave them. The error is a *NotFound.
func (c *Catalog) Lookup(server, tool string) (Tool, error) {
	t, err := c.find(server, tool)
	if err != nil {
		return Tool{}, err
	}
	return t.Tool, nil
}

// Tools returns the tools of a server in its order, as Lookup does. The error
// is a *NotFound.
func (c *Catalog) Tools(server string) ([]Tool, error) {
	s, err := c.findServer(server)
	if err != nil {
		return nil, err
	}
	tools := make([]Tool, len(s.tools))
	for i, t := range s.tools {
		tools[i] = t.Tool
	}
	return tools, nil
}

// ResourceInfo is a resource and whose it is.
type ResourceInfo struct {
	Server string `json:"server"`
	Resource
}

// TemplateInfo is a resource template and whose it is.
type TemplateInfo struct {
	Server string `json:"server"`
	ResourceTemplate
}

// Resources returns the resources of a server, or of all where name is
// empty. The error is a *NotFound.
func (c *Catalog) Resources(name string) ([]ResourceInfo, error) {
	all := []ResourceInfo{}
	err := c.each(name, func(s *server) {
		for _, r := range s.resources {
			all = append(all, ResourceInfo{s.info.Name, r})
		}
	})
	return all, err
}

// Templates returns the resource templates of a server, or of all where name
// is empty. The error is a *NotFound.
func (c *Catalog) Templates(name string) ([]TemplateInfo, error) {
	all := []TemplateInfo{}
	err := c.each(name, func(s *server) {
		for _, r := range s.templates {
			all = append(all, TemplateInfo{s.info.Name, r})
		}
	})
	return all, err
}

func (c *Catalog) each(name string, visit func(*server)) error {
	if name == "" {
		for _, s := range c.servers {
			visit(s)
		}
		return nil
	}
	s, err := c.findServer(name)
	if err == nil {
		visit(s)
	}
	return err
}
