package config

import "time"

// Feature is a part of the program that keys are for.
type Feature string

// The features. What is not one of them is there in every build.
const (
	FeatureNode         Feature = "the V8 engine"
	FeatureHTTP         Feature = "serving over HTTP"
	FeatureStash        Feature = "the stash"
	FeatureRemote       Feature = "servers that are reached over HTTP"
	FeatureBreaker      Feature = "the circuit breaker"
	FeatureRestart      Feature = "restarting servers"
	FeatureRefresh      Feature = "refreshing catalogs"
	FeaturePolicy       Feature = "rules"
	FeatureGroups       Feature = "groups of servers"
	FeatureRate         Feature = "rates and budgets"
	FeatureRedaction    Feature = "redaction"
	FeatureAudit        Feature = "the audit"
	FeatureDescriptions Feature = "descriptions of servers"
)

// file is autoclave.toml. What the keys mean stands in example.toml.
type file struct {
	Engine    engineSection            `toml:"engine"`
	Limits    limitsSection            `toml:"limits"`
	Pool      poolSection              `toml:"pool"`
	Lockdown  lockdownSection          `toml:"lockdown"`
	Stash     stashSection             `toml:"stash" feature:"the stash"`
	HTTP      httpSection              `toml:"http" feature:"serving over HTTP"`
	Policy    policySection            `toml:"policy" feature:"rules"`
	Rule      []ruleSection            `toml:"rule" feature:"rules"`
	Groups    map[string]groupSection  `toml:"groups" feature:"groups of servers"`
	Rate      rateSection              `toml:"rate" feature:"rates and budgets"`
	Budget    budgetSection            `toml:"budget" feature:"rates and budgets"`
	Redaction redactionSection         `toml:"redaction" feature:"redaction"`
	Audit     auditSection             `toml:"audit" feature:"the audit"`
	Servers   map[string]serverSection `toml:"servers"`
}

type engineSection struct {
	Name       string        `toml:"name" enum:"quickjs,v8"`
	Also       list          `toml:"also"`
	Node       string        `toml:"node" expand:"text"`
	Jitless    bool          `toml:"jitless"`
	Isolates   int           `toml:"isolates"`
	KillGrace  time.Duration `toml:"kill_grace" zero:"none"`
	StackDepth int           `toml:"stack_depth"`
	MaxFrame   int64         `toml:"max_frame" unit:"size"`
}

type limitsSection struct {
	CPU         time.Duration `toml:"cpu"`
	Wall        time.Duration `toml:"wall"`
	CallTimeout time.Duration `toml:"call_timeout"`
	Heap        int64         `toml:"heap" unit:"size"`
	Program     int64         `toml:"program" unit:"size"`
	Result      int64         `toml:"result" unit:"size"`
	Arguments   int64         `toml:"arguments" unit:"size"`
	CallResult  int64         `toml:"call_result" unit:"size"`
	Calls       int           `toml:"calls"`
	Concurrency int           `toml:"concurrency"`
	Logs        int64         `toml:"logs" unit:"size"`
	Emits       int64         `toml:"emits" unit:"size"`
}

type poolSection struct {
	MinWorkers         int           `toml:"min_workers" zero:"none"`
	MinIdle            int           `toml:"min_idle" zero:"none"`
	Reserve            int           `toml:"reserve" zero:"none"`
	MaxWorkers         int           `toml:"max_workers" neg:"unlimited"`
	MaxIdleTime        time.Duration `toml:"max_idle_time" neg:"unlimited"`
	MaxUses            int           `toml:"max_uses" neg:"unlimited"`
	MaxLifetime        time.Duration `toml:"max_lifetime" neg:"unlimited"`
	HealthCheckTimeout time.Duration `toml:"health_check_timeout" neg:"unlimited"`
	SpawnTimeout       time.Duration `toml:"spawn_timeout" neg:"unlimited"`
	MaxQueue           int           `toml:"max_queue" neg:"unlimited"`
	MaxQueuePerTenant  int           `toml:"max_queue_per_tenant" neg:"unlimited"`
	MaxQueueWait       time.Duration `toml:"max_queue_wait" neg:"unlimited"`
	MaxWorkerMemory    int64         `toml:"max_worker_memory" unit:"size" neg:"unlimited"`
}

type lockdownSection struct {
	Require       string `toml:"require" enum:"strict,partial,none"`
	RequireLayers list   `toml:"require_layers"`
	Off           bool   `toml:"off"`
}

type stashSection struct {
	MaxEntries      int           `toml:"max_entries"`
	MaxValue        int64         `toml:"max_value" unit:"size"`
	MaxTotal        int64         `toml:"max_total" unit:"size"`
	DefaultTTL      time.Duration `toml:"default_ttl" neg:"unlimited"`
	MaxTTL          time.Duration `toml:"max_ttl" neg:"unlimited"`
	MaxSessions     int           `toml:"max_sessions"`
	MaxPerPrincipal int           `toml:"max_sessions_per_principal"`
	AllTotal        int64         `toml:"max_total_of_all" unit:"size"`
	IdleTTL         time.Duration `toml:"idle_ttl" neg:"unlimited"`
}

type httpSection struct {
	Listen          string         `toml:"listen" expand:"text"`
	Path            string         `toml:"path"`
	Insecure        bool           `toml:"allow_unauthenticated"`
	AllowedOrigins  list           `toml:"allowed_origins"`
	AllowedHosts    list           `toml:"allowed_hosts"`
	TLSCert         string         `toml:"tls_cert" expand:"text"`
	TLSKey          string         `toml:"tls_key" expand:"text"`
	MaxBody         int64          `toml:"max_body" unit:"size"`
	MaxHeader       int64          `toml:"max_header" unit:"size"`
	HeaderTimeout   time.Duration  `toml:"header_timeout"`
	BodyTimeout     time.Duration  `toml:"body_timeout"`
	IdleTimeout     time.Duration  `toml:"idle_timeout"`
	WriteTimeout    time.Duration  `toml:"write_timeout"`
	MaxConnections  int            `toml:"max_connections"`
	MaxPerAddress   int            `toml:"max_connections_per_address" neg:"unlimited"`
	MaxSessions     int            `toml:"max_sessions"`
	MaxPerPrincipal int            `toml:"max_sessions_per_principal"`
	SessionTimeout  time.Duration  `toml:"session_timeout"`
	DrainTimeout    time.Duration  `toml:"drain_timeout" zero:"none"`
	Token           []tokenSection `toml:"token"`
	JWT             jwtSection     `toml:"jwt"`
}

type tokenSection struct {
	Principal string `toml:"principal"`
	Token     string `toml:"token" expand:"secret"`
}

type jwtSection struct {
	Issuer         string        `toml:"issuer" expand:"text"`
	Audience       string        `toml:"audience" expand:"text"`
	KeysURL        string        `toml:"keys_url" expand:"text"`
	KeysFile       string        `toml:"keys_file" expand:"text"`
	PrincipalClaim string        `toml:"principal_claim"`
	Leeway         time.Duration `toml:"leeway" zero:"none"`
}

type policySection struct {
	Default    string        `toml:"default" enum:"allow,ask,deny"`
	HideDenied *bool         `toml:"hide_denied"`
	AskTimeout time.Duration `toml:"ask_timeout"`
	MaxAsking  int           `toml:"max_asking"`
	LabelScope string        `toml:"label_scope" enum:"execution,session" feature:"groups of servers"`
}

type ruleSection struct {
	Name        string `toml:"name"`
	Action      string `toml:"action" enum:"allow,ask,deny"`
	Server      list   `toml:"server"`
	Tool        list   `toml:"tool"`
	Resource    list   `toml:"resource"`
	ReadOnly    *bool  `toml:"read_only"`
	Destructive *bool  `toml:"destructive"`
	OpenWorld   *bool  `toml:"open_world"`
	Session     list   `toml:"session"`
	Principal   list   `toml:"principal"`
}

type groupSection struct {
	Servers list `toml:"servers"`
	Strict  bool `toml:"strict"`
}

type rateSection struct {
	PerServer  Rate `toml:"per_server"`
	PerTool    Rate `toml:"per_tool"`
	PerSession Rate `toml:"per_session"`
}

type budgetSection struct {
	ExecutionBytes int64 `toml:"execution_bytes" unit:"size" neg:"unlimited"`
	SessionCalls   int   `toml:"session_calls" neg:"unlimited"`
	SessionBytes   int64 `toml:"session_bytes" unit:"size" neg:"unlimited"`
}

type redactionSection struct {
	Credentials      *bool `toml:"credentials"`
	HostPaths        *bool `toml:"host_paths"`
	PrivateAddresses *bool `toml:"private_addresses"`
	StackTraces      *bool `toml:"stack_traces"`
	Secrets          list  `toml:"secrets" expand:"secret"`
	Patterns         list  `toml:"patterns"`
}

type auditSection struct {
	Path        string        `toml:"path" expand:"text"`
	ProgramText bool          `toml:"program_text"`
	OnFailure   string        `toml:"on_failure" enum:"fail,drop"`
	Timeout     time.Duration `toml:"timeout" neg:"unlimited"`
}

type serverSection struct {
	Transport   string            `toml:"transport" enum:"stdio,http,sse"`
	Command     list              `toml:"command" expand:"text"`
	Args        list              `toml:"args" expand:"text"`
	Env         map[string]string `toml:"env" expand:"secret"`
	BareEnv     bool              `toml:"bare_env"`
	Cwd         string            `toml:"cwd" expand:"text"`
	URL         string            `toml:"url" expand:"secret" feature:"servers that are reached over HTTP"`
	Headers     map[string]string `toml:"headers" expand:"secret" feature:"servers that are reached over HTTP"`
	Description string            `toml:"description" feature:"descriptions of servers"`
	Enabled     *bool             `toml:"enabled"`

	ConnectTimeout  time.Duration `toml:"connect_timeout"`
	DiscoverTimeout time.Duration `toml:"discover_timeout" zero:"none"`
	CallTimeout     time.Duration `toml:"call_timeout" neg:"unlimited"`
	CloseGrace      time.Duration `toml:"close_grace"`
	MaxFrame        int64         `toml:"max_frame" unit:"size"`

	BackoffMin      time.Duration `toml:"backoff_min" feature:"restarting servers"`
	BackoffMax      time.Duration `toml:"backoff_max" feature:"restarting servers"`
	RefreshInterval time.Duration `toml:"refresh_interval" zero:"none" feature:"refreshing catalogs"`
	BreakerFailures int           `toml:"breaker_failures" zero:"none" feature:"the circuit breaker"`
	BreakerCooldown time.Duration `toml:"breaker_cooldown" feature:"the circuit breaker"`

	Default   string          `toml:"default" enum:"allow,ask,deny" feature:"rules"`
	Rate      Rate            `toml:"rate" feature:"rates and budgets"`
	ToolRates map[string]Rate `toml:"tool_rates" feature:"rates and budgets"`
}
