package main

import (
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "autoclave.toml", "[limits]\ncpu = \"7s\"\n"+demoServer(t, "tracker"))
	stdout, stderr, status := runCommand(newDoctor(&global{}), "--config", path)
	if status != exitOK {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
	for _, want := range []string{"ok     configuration: " + path, "ok     server tracker: 6 tools in ", "ok     engine: quickjs ", "ok     lockdown: ", "compute for 7s"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("there is no %q in\n%s", want, stdout)
		}
	}
}

func TestDoctorAsJSON(t *testing.T) {
	t.Parallel()
	stdout, stderr, status := runCommand(newDoctor(&global{}), "--config", writeFile(t, "autoclave.toml", demoServer(t, "tracker")+goneServer), "--json")
	if status != exitProgram {
		t.Errorf("with a broken server: exit status %d\n%s", status, stderr)
	}
	var c checkup
	if err := json.Unmarshal([]byte(stdout), &c); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if c.OK || !c.Config.OK || !c.Engine.OK || !c.Lockdown.OK {
		t.Errorf("what is broken is not the server alone: %+v", c)
	}
	if len(c.Servers) != 2 || !c.Servers[0].OK || c.Servers[0].Tools != 6 || c.Servers[1].OK || !strings.Contains(c.Servers[1].Problem, "executable file not found") {
		t.Errorf("the servers are %+v", c.Servers)
	}
	if c.Engine.Name != "quickjs" || c.Engine.Start <= 0 || c.Engine.Execute <= 0 {
		t.Errorf("the engine is %+v", c.Engine)
	}
	var raw struct {
		Lockdown struct {
			Level  string
			Layers []struct {
				Name   string
				Active *bool
				Reason string
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &raw); err != nil {
		t.Fatal(err)
	}
	if raw.Lockdown.Level == "" || len(raw.Lockdown.Layers) == 0 {
		t.Errorf("the lockdown is %+v", raw.Lockdown)
	}
	names := lockdown.Layers()
	for _, l := range raw.Lockdown.Layers {
		if l.Active == nil || !slices.Contains(names, l.Name) || !*l.Active && l.Reason == "" {
			t.Errorf("the layer is %+v: a layer has a name, is active or says why not", l)
		}
	}
	if runtime.GOOS == "linux" && len(raw.Lockdown.Layers) != len(names) {
		t.Errorf("%d layers, want all %d", len(raw.Lockdown.Layers), len(names))
	}
}

func TestDoctorFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"a key that is not known", "[limits]\ncpuu = \"1s\"\n", "BROKEN configuration"},
		{"a layer that is not there", "[lockdown]\nrequire_layers = [\"cgroup\"]\n", "BROKEN lockdown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, status := runCommand(newDoctor(&global{}), "--config", writeFile(t, "autoclave.toml", c.text))
			if status != exitProgram || !strings.Contains(stdout, c.want) {
				t.Errorf("exit status %d, want 1 and %q\n%s%s", status, c.want, stdout, stderr)
			}
		})
	}
	text := strings.Replace(goneServer, "\n", "\nenabled = false\n", 1)
	stdout, _, status := runCommand(newDoctor(&global{}), "--config", writeFile(t, "autoclave.toml", text))
	if status != exitOK || !strings.Contains(stdout, "off    server gone") {
		t.Errorf("a server that is switched off: exit status %d\n%s", status, stdout)
	}
}
