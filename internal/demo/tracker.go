package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// issueCount is how many issues a fresh tracker has.
const issueCount = 60

type issue struct {
	Number   int      `json:"number" jsonschema:"the issue's number, from 1"`
	Title    string   `json:"title"`
	State    string   `json:"state" jsonschema:"open or closed"`
	Labels   []string `json:"labels"`
	Assignee string   `json:"assignee,omitempty" jsonschema:"login of the person who works on it; absent where nobody does"`
	Priority int      `json:"priority" jsonschema:"1 (urgent) to 4 (some day)"`
	Created  string   `json:"created" jsonschema:"date as YYYY-MM-DD"`
	Comments int      `json:"comments" jsonschema:"how many comments it has"`
}

type comment struct {
	Author string `json:"author"`
	Body   string `json:"body"`
}

type issueDetail struct {
	issue
	Body     string    `json:"body"`
	Comments []comment `json:"comments"`
}

type listIssuesIn struct {
	State    string `json:"state,omitempty" jsonschema:"open, closed or all (default open)"`
	Label    string `json:"label,omitempty" jsonschema:"only issues with this label"`
	Assignee string `json:"assignee,omitempty" jsonschema:"only issues of this person"`
	Limit    int    `json:"limit,omitempty" jsonschema:"how many issues at most, 1 to 100 (default 20)"`
	Offset   int    `json:"offset,omitempty" jsonschema:"how many issues to skip (default 0)"`
}

type listIssuesOut struct {
	Issues []issue `json:"issues"`
	Total  int     `json:"total" jsonschema:"how many issues match, before limit and offset"`
}

type getIssueIn struct {
	Number int `json:"number" jsonschema:"the issue's number"`
}

type createIssueIn struct {
	Title    string   `json:"title"`
	Body     string   `json:"body,omitempty"`
	Labels   []string `json:"labels,omitempty"`
	Assignee string   `json:"assignee,omitempty"`
	Priority int      `json:"priority,omitempty" jsonschema:"1 (urgent) to 4 (some day), default 3"`
}

type addCommentIn struct {
	Number int    `json:"number" jsonschema:"the issue's number"`
	Body   string `json:"body"`
	Author string `json:"author,omitempty" jsonschema:"login of the author (default guest)"`
}

type addCommentOut struct {
	Number   int `json:"number"`
	Comments int `json:"comments" jsonschema:"how many comments the issue has now"`
}

type countByLabelOut struct {
	Open map[string]int `json:"open" jsonschema:"open issues by label"`
}

// tracker is the state of one tracker server.
type tracker struct {
	mu     sync.Mutex
	issues []*issueDetail // by number - 1
}

var (
	trackerLabels = []string{"bug", "feature", "docs", "performance", "security"}
	trackerPeople = []string{"ada", "grace", "linus", "margaret", ""}
)

func addTracker(s *mcp.Server) {
	t := &tracker{}
	for n := 1; n <= issueCount; n++ {
		t.issues = append(t.issues, firstIssue(n))
	}

	addTool(s, &mcp.Tool{
		Name: "list_issues", Title: "List issues", Annotations: readOnly(),
		Description: "List issues, the newest first, filtered by state, label and assignee.",
	}, t.list)
	addTool(s, &mcp.Tool{
		Name: "get_issue", Title: "Get issue", Annotations: readOnly(),
		Description: "Get one issue with its body and its comments.",
	}, t.get)
	addTool(s, &mcp.Tool{
		Name: "create_issue", Title: "Create issue", Annotations: writing(false),
		Description: "Create an issue and return it with its new number.",
	}, t.create)
	addTool(s, &mcp.Tool{
		Name: "add_comment", Title: "Add comment", Annotations: writing(false),
		Description: "Add a comment to an issue.",
	}, t.comment)
	addTool(s, &mcp.Tool{
		Name: "close_issue", Title: "Close issue", Annotations: writing(true),
		Description: "Close an issue and return it. An issue that is closed stays closed.",
	}, t.close)
	addTool(s, &mcp.Tool{
		Name: "count_by_label", Title: "Count by label", Annotations: readOnly(),
		Description: "Count the open issues of each label.",
	}, t.count)

	addText(s, &mcp.Resource{
		URI: "tracker://guide", Name: "guide", MIMEType: "text/markdown",
		Description: "How this team files issues.",
	}, "# Filing issues\n\nOne thing an issue. Say what you did, what came and what you expected.\n")
	addText(s, &mcp.Resource{
		URI: "tracker://labels", Name: "labels", MIMEType: "application/json",
		Description: "The labels that are in use.",
	}, `["`+strings.Join(trackerLabels, `","`)+`"]`)
}

func firstIssue(n int) *issueDetail {
	subjects := []string{"Login", "Export", "Search", "The settings page", "Upload", "The invoice view", "Sync", "The mobile menu"}
	faults := []string{
		"fails after a timeout", "is slow with many rows", "shows the wrong date", "needs a keyboard shortcut",
		"loses unsaved changes", "is not documented", "leaks memory overnight",
	}
	d := &issueDetail{issue: issue{
		Number:   n,
		Title:    subjects[scatter(n, 1, len(subjects))] + " " + faults[scatter(n, 2, len(faults))],
		State:    "open",
		Labels:   []string{trackerLabels[scatter(n, 3, len(trackerLabels))]},
		Assignee: trackerPeople[scatter(n, 4, len(trackerPeople))],
		Priority: 1 + scatter(n, 5, 4),
		Created:  time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 5*n).Format(time.DateOnly),
	}}
	if scatter(n, 6, 3) == 0 {
		d.State = "closed"
	}
	if second := trackerLabels[scatter(n, 7, len(trackerLabels))]; scatter(n, 8, 4) == 0 && second != d.Labels[0] {
		d.Labels = append(d.Labels, second)
	}
	d.Body = fmt.Sprintf("%s. Seen in build %d.", d.Title, 100+scatter(n, 9, 50))
	for k := range scatter(n, 10, 4) {
		who := trackerPeople[scatter(n*10+k, 11, len(trackerPeople)-1)]
		d.Comments = append(d.Comments, comment{Author: who, Body: fmt.Sprintf("Seen it too, on machine %d.", 1+scatter(n*10+k, 12, 9))})
	}
	d.issue.Comments = len(d.Comments)
	return d
}

func (t *tracker) list(_ context.Context, _ *mcp.CallToolRequest, in listIssuesIn) (*mcp.CallToolResult, listIssuesOut, error) {
	state := in.State
	switch state {
	case "":
		state = "open"
	case "open", "closed", "all":
	default:
		return nil, listIssuesOut{}, fmt.Errorf("state is %q: it must be open, closed or all", in.State)
	}
	limit := in.Limit
	if limit == 0 {
		limit = 20
	}
	if limit < 1 || limit > 100 {
		return nil, listIssuesOut{}, fmt.Errorf("limit is %d: it must be from 1 to 100", in.Limit)
	}
	if in.Offset < 0 {
		return nil, listIssuesOut{}, fmt.Errorf("offset is %d: it must not be negative", in.Offset)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	out := listIssuesOut{Issues: []issue{}}
	for _, d := range slices.Backward(t.issues) {
		if state != "all" && d.State != state ||
			in.Label != "" && !slices.Contains(d.Labels, in.Label) ||
			in.Assignee != "" && d.Assignee != in.Assignee {
			continue
		}
		if out.Total >= in.Offset && len(out.Issues) < limit {
			out.Issues = append(out.Issues, d.summary())
		}
		out.Total++
	}
	return nil, out, nil
}

func (d *issueDetail) summary() issue {
	s := d.issue
	s.Labels = slices.Clone(s.Labels)
	return s
}

// find returns the issue. t.mu is held.
func (t *tracker) find(number int) (*issueDetail, error) {
	if number < 1 || number > len(t.issues) {
		return nil, fmt.Errorf("there is no issue %d: numbers go from 1 to %d", number, len(t.issues))
	}
	return t.issues[number-1], nil
}

func (t *tracker) get(_ context.Context, _ *mcp.CallToolRequest, in getIssueIn) (*mcp.CallToolResult, issueDetail, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d, err := t.find(in.Number)
	if err != nil {
		return nil, issueDetail{}, err
	}
	return nil, issueDetail{issue: d.summary(), Body: d.Body, Comments: append([]comment{}, d.Comments...)}, nil
}

func (t *tracker) create(_ context.Context, _ *mcp.CallToolRequest, in createIssueIn) (*mcp.CallToolResult, issue, error) {
	if strings.TrimSpace(in.Title) == "" {
		return nil, issue{}, fmt.Errorf("title is empty: an issue needs one")
	}
	priority := in.Priority
	if priority == 0 {
		priority = 3
	}
	if priority < 1 || priority > 4 {
		return nil, issue{}, fmt.Errorf("priority is %d: it must be from 1 to 4", in.Priority)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// The clock stands still here: an answer must not depend on the day.
	d := &issueDetail{Body: in.Body, issue: issue{
		Number: len(t.issues) + 1, Title: in.Title, State: "open", Labels: append([]string{}, in.Labels...),
		Assignee: in.Assignee, Priority: priority, Created: "2025-12-31",
	}}
	t.issues = append(t.issues, d)
	return nil, d.summary(), nil
}

func (t *tracker) comment(_ context.Context, _ *mcp.CallToolRequest, in addCommentIn) (*mcp.CallToolResult, addCommentOut, error) {
	if strings.TrimSpace(in.Body) == "" {
		return nil, addCommentOut{}, fmt.Errorf("body is empty: a comment needs one")
	}
	author := in.Author
	if author == "" {
		author = "guest"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	d, err := t.find(in.Number)
	if err != nil {
		return nil, addCommentOut{}, err
	}
	d.Comments = append(d.Comments, comment{Author: author, Body: in.Body})
	d.issue.Comments = len(d.Comments)
	return nil, addCommentOut{Number: d.Number, Comments: len(d.Comments)}, nil
}

func (t *tracker) close(_ context.Context, _ *mcp.CallToolRequest, in getIssueIn) (*mcp.CallToolResult, issue, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d, err := t.find(in.Number)
	if err != nil {
		return nil, issue{}, err
	}
	d.State = "closed"
	return nil, d.summary(), nil
}

func (t *tracker) count(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, countByLabelOut, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := countByLabelOut{Open: map[string]int{}}
	for _, d := range t.issues {
		if d.State == "open" {
			for _, l := range d.Labels {
				out.Open[l]++
			}
		}
	}
	return nil, out, nil
}
