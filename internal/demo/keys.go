package demo

import (
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// What keys may do.
var (
	otlp       = []identity.Scope{identity.TracesWrite, identity.MetricsWrite, identity.LogsWrite}
	tracesOnly = []identity.Scope{identity.TracesWrite}
	everything = []identity.Scope{identity.TracesWrite, identity.MetricsWrite, identity.LogsWrite, identity.ProfilesWrite}
	readWrite  = identity.Member.Scopes().List()
	readOnly   = identity.Viewer.Scopes().List()
	adminScope = []identity.Scope{identity.Admin}
	evals      = []identity.Scope{identity.TracesWrite, identity.DatasetsRead, identity.ExperimentsRead, identity.ExperimentsWrite}
	indexing   = []identity.Scope{identity.TracesWrite, identity.DatasetsRead, identity.DatasetsWrite}
)

// backupKey is the name of the key that makes backups.
const backupKey = "backup-cron"

func perMinute(on limit.Traffic, unit limit.Unit, n int64) limit.Limit {
	return limit.Limit{On: on, Unit: unit, Max: n, Window: limit.Window(time.Minute)}
}

// newKeys returns the company's keys, those first that matter most.
func newKeys() []*key {
	return slices.Concat(services(), helpers(), pipelines(), products(), machines(), people(), experiments(), endings())
}

// services are what runs in production, each with a key of the system.
func services() []*key {
	const g, h = access.GRPC, access.HTTP
	fra, ams, iad := at("DE", 2, 4, 5), at("NL", 0, 3, 3), at("US", 0, 4, 4)
	return []*key{
		{
			name: "checkout-prod", description: "Checkout service, production clusters", plan: "enterprise", age: 321, scopes: otlp, projects: []string{"storefront"}, countries: []string{"DE", "NL"},
			sender: &sender{agent: goSDK, rhythm: shopping, rate: 420, growth: 0.45, spread: 2, flows: []flow{traces(g, .55, 48), metrics(.25, 130), logs(g, .2, 70)}, from: []origin{fra, ams}, failing: .0006},
		},
		{
			name: "llm-gateway", description: "Model gateway: every prompt and completion as a span", plan: "enterprise", age: 204, scopes: otlp, projects: []string{"assistant", "search"},
			acts:   []act{exactly(rotated(6.5, 7*day))},
			sender: &sender{agent: pythonSDK, rhythm: office, rate: 260, growth: 0.7, spread: 2, flows: []flow{traces(g, .7, 22), metrics(.3, 60)}, from: []origin{iad, fra}, failing: .0011, laggard: .12},
		},
		{
			name: "payments-api", description: "Payments API and its workers (PCI zone)", plan: "enterprise", age: 312, scopes: otlp, projects: []string{"payments"}, countries: []string{"DE", "NL"},
			sender: &sender{
				agent: javaSDK, rhythm: shopping, rate: 240, growth: 0.4, spread: 2, flows: []flow{traces(g, .6, 36), metrics(.3, 210), logs(g, .1, 25)},
				from: []origin{fra, ams, at("BR", 3, 1, .12).during(.41, 0)}, failing: .0004,
			},
		},
		{
			name: "storefront-prod", description: "Storefront (Next.js)", plan: "enterprise", age: 316, scopes: otlp, projects: []string{"storefront"},
			sender: &sender{agent: nodeSDK, rhythm: shopping, rate: 310, growth: 0.4, spread: 3, flows: []flow{traces(h, .7, 19), logs(h, .3, 40)}, from: []origin{fra, ams, iad}, failing: .0007},
		},
		{
			name: "search-api", description: "Search and retrieval API", plan: "pro", age: 289, scopes: otlp, projects: []string{"search"},
			sender: &sender{agent: rustSDK, rhythm: shopping, rate: 180, growth: 0.5, spread: 2, flows: []flow{traces(g, .65, 31), metrics(.35, 90)}, from: []origin{fra, iad}, failing: .0009},
		},
		{
			name: "recommendations", description: "Recommendation service", plan: "pro", age: 277, scopes: otlp, projects: []string{"storefront", "ml-platform"},
			sender: &sender{
				agent: pythonSDK, rhythm: shopping, rate: 120, growth: 0.5, spread: 2, flows: []flow{traces(g, .6, 27), metrics(.4, 75)},
				from: []origin{fra, at("SG", 1, 1, .6).during(9.3, 9.05)}, failing: .001,
			},
		},
		{
			name: "assistant-prod", description: "Customer assistant (agents and tools)", plan: "enterprise", age: 143, scopes: otlp, projects: []string{"assistant"},
			sender: &sender{agent: pythonSDK, rhythm: shopping, rate: 150, growth: 0.85, spread: 2, flows: []flow{traces(g, .75, 64), logs(g, .25, 30)}, from: []origin{iad, fra}, failing: .0016},
		},
		{
			name: "identity-svc", description: "Sign-in and sessions", plan: "pro", age: 299, scopes: otlp, projects: []string{"platform"}, countries: []string{"DE", "NL"},
			sender: &sender{agent: dotnetSDK, rhythm: shopping, rate: 95, growth: 0.3, spread: 2, flows: []flow{traces(g, .5, 18), metrics(.3, 80), logs(g, .2, 22)}, from: []origin{fra, ams}, failing: .0003},
		},
		{
			name: "fraud-scoring", description: "Fraud scores for payments", plan: "pro", age: 247, expires: -2, scopes: otlp, projects: []string{"payments", "ml-platform"},
			acts:   []act{extended(9.2, 178)},
			sender: &sender{agent: javaSDK, rhythm: shopping, rate: 70, growth: 0.5, spread: 1, flows: []flow{traces(g, .5, 15), metrics(.5, 60)}, from: []origin{fra}, failing: .0008},
		},
	}
}

// helpers are services that others use.
func helpers() []*key {
	const g, h = access.GRPC, access.HTTP
	fra, ams := at("DE", 2, 4, 5), at("NL", 0, 3, 3)
	return []*key{
		{
			name: "notifications", description: "Mail, push and SMS", plan: "pro", age: 268, scopes: otlp, projects: []string{"platform"},
			sender: &sender{agent: rubySDK, rhythm: steady, rate: 40, growth: 0.2, spread: 1, flows: []flow{traces(h, .8, 12), logs(h, .2, 18)}, from: []origin{ams}, failing: .0005},
		},
		{
			name: "vector-store", description: "Vector database, query tracing", plan: "pro", age: 161, scopes: otlp, projects: []string{"search", "assistant"},
			acts:   []act{rotated(3.1, 30*day)},
			sender: &sender{agent: rustSDK, rhythm: steady, rate: 55, growth: 0.6, spread: 2, flows: []flow{traces(g, .4, 44), metrics(.6, 120)}, from: []origin{at(inside, 40, 6, 1)}, failing: .0004, laggard: .35},
		},
		{
			name: "feature-store", description: "Online feature store", plan: "pro", age: 186, scopes: otlp, projects: []string{"ml-platform"},
			acts:   []act{rotated(15.3, 7*day)},
			sender: &sender{agent: goSDK, rhythm: shopping, rate: 65, growth: 0.3, spread: 1, flows: []flow{traces(g, .5, 16), metrics(.5, 70)}, from: []origin{fra}, failing: .0006, laggard: .08},
		},
	}
}

// pipelines are collectors and what runs by the clock.
func pipelines() []*key {
	const g, h = access.GRPC, access.HTTP
	fra, iad, cluster := at("DE", 6, 2, 1), at("US", 4, 2, 1), at(inside, 300, 24, 1)
	return []*key{
		{
			name: "k8s-agents-prod", description: "Collector agents on all production nodes", plan: "enterprise", age: 308, scopes: everything,
			sender: &sender{agent: collector, rhythm: steady, rate: 210, growth: 0.3, spread: 4, flows: []flow{metrics(.5, 820), logs(g, .35, 480), traces(g, .1, 210), profiles(.05, 900)}, from: []origin{cluster}, failing: .0002},
		},
		{
			name: "collector-eu-west", description: "Gateway collector, eu-west", declared: true, plan: "enterprise", age: 132, scopes: everything, allowed: []string{"192.0.2.0/28"},
			sender: &sender{agent: collector, rhythm: shopping, rate: 130, growth: 0.2, spread: 1, flows: []flow{traces(g, .5, 380), metrics(.3, 900), logs(g, .2, 510)}, from: []origin{fra}, failing: .0002, refused: []refusal{{reason: identity.AddressNotAllowed, share: .012, since: 5.3}}},
		},
		{
			name: "collector-us-east", description: "Gateway collector, us-east", declared: true, plan: "enterprise", age: 132, scopes: everything,
			sender: &sender{agent: collector, rhythm: office, rate: 110, growth: 0.2, spread: 1, flows: []flow{traces(g, .5, 350), metrics(.3, 870), logs(g, .2, 450)}, from: []origin{iad}, failing: .0002},
		},
		{
			name: "rag-indexer", description: "Nightly indexing of the knowledge base", plan: "pro", age: 158, by: "priya", owner: "priya", scopes: indexing, projects: []string{"search", "assistant"},
			sender: &sender{agent: pythonSDK, rhythm: nightly(1.5, 2.5), rate: 190, growth: 0.5, spread: 1, flows: []flow{traces(h, 1, 52)}, from: []origin{fra}, failing: .004},
		},
		{
			name: "eval-nightly", description: "Nightly evaluation of prompts and agents", age: 45, by: "noor", owner: "noor", scopes: evals, projects: []string{"evals"}, plan: "pro",
			acts:   []act{changed(29, func(k *store.Key) { k.Description = "Nightly evaluation of prompts, agents and retrieval" })},
			sender: &sender{agent: pythonSDK, rhythm: nightly(3, 1.4), rate: 85, growth: 0.3, spread: 1, flows: []flow{traces(h, 1, 75)}, from: []origin{iad}, failing: .006, refused: []refusal{{reason: identity.MissingScope, endpoint: "metrics", share: .02}}},
		},
		{
			name: "finetune-runner", description: "Fine-tuning jobs on the GPU cluster", plan: "pro", age: 128, by: "kenji", owner: "kenji", scopes: readWrite, projects: []string{"ml-platform"},
			sender: &sender{agent: pythonSDK, rhythm: weekly(time.Wednesday, 18, 6), rate: 120, growth: 0, spread: 1, flows: []flow{traces(g, .3, 12), metrics(.7, 240)}, from: []origin{at(inside, 900, 8, 1)}, failing: .002},
		},
		{
			name: "recsys-trainer", description: "Training of recommendation models", plan: "pro", age: 92, scopes: tracesOnly, projects: []string{"ml-platform"},
			sender: &sender{agent: pythonOld, rhythm: steady, rate: 12, growth: 0.2, spread: 1, flows: []flow{traces(h, 1, 20)}, from: []origin{at(inside, 910, 4, 1)}, refused: []refusal{{reason: identity.MissingScope, endpoint: "metrics", share: .45, since: .13}}},
		},
		{
			name: "billing-export", description: "Hourly export for invoices", plan: "free", age: 226, scopes: []identity.Scope{identity.TracesWrite, identity.LogsWrite}, projects: []string{"payments"},
			sender: &sender{agent: goSDK, rhythm: steady, rate: .35, flows: []flow{traces(h, .6, 8), logs(h, .4, 90)}, spread: 1, from: []origin{at("NL", 4, 1, 1)}},
		},
		{
			name: "grafana-reader", description: "Data source of the dashboards", declared: true, plan: "pro", age: 132, scopes: readOnly,
			sender: &sender{agent: "Grafana/11.3.1", rhythm: office, rate: 6, spread: 1, flows: []flow{call(getAllUsage, .4), call(getTop, .3), call(getAlerts, .3)}, from: []origin{at("DE", 9, 1, 1)}},
		},
		{
			name: "dagster-prod", description: "Orchestrator of the data platform", declared: true, plan: "pro", age: 132, scopes: tracesOnly,
			sender: &sender{agent: pythonOld, rhythm: nightly(4, 1), rate: 20, spread: 1, flows: []flow{traces(h, 1, 14)}, from: []origin{at("DE", 10, 1, 1)}, insists: .05},
		},
		{
			name: "quarterly-report", description: "Figures for the board, once in a while", plan: "free", age: 219, by: "sofia", owner: "sofia", scopes: tracesOnly, projects: []string{"analytics"},
			sender: &sender{agent: pythonOld, rhythm: office, rate: 3, spread: 1, flows: []flow{traces(h, 1, 6)}, from: []origin{at("ES", 0, 1, 1)}, spans: []span{{87, 84}, {43, 41}, {3.4, 1.2}}},
		},
	}
}

// products are what customers and partners have.
func products() []*key {
	const g, h = access.GRPC, access.HTTP
	phones := []origin{at("DE", 20, 900, 5), at("FR", 20, 700, 4), at("ES", 20, 500, 3), at("IT", 20, 500, 3), at("GB", 20, 600, 3), at("NL", 20, 200, 1.5), at("PT", 20, 150, 1), at("US", 20, 400, 1.4), at("SE", 20, 120, .7), at("BR", 20, 90, .4), at("JP", 20, 60, .3)}
	return []*key{
		{
			name: "ios-app", description: "iOS app, public key in the bundle", plan: "enterprise", age: 253, by: "lucas", owner: "lucas", scopes: tracesOnly, projects: []string{"mobile"},
			limits: []limit.Limit{perMinute(limit.Ingest, limit.Requests, 2500), perMinute(limit.Traces, limit.Items, 60_000)},
			sender: &sender{agent: swiftSDK, rhythm: shopping, rate: 340, growth: 0.5, spread: 6, flows: []flow{traces(h, 1, 4)}, from: phones, failing: .001, refused: []refusal{{reason: identity.MissingScope, endpoint: "logs", share: .0015}}},
		},
		{
			name: "android-app", description: "Android app, public key in the bundle", plan: "enterprise", age: 244, by: "lucas", owner: "lucas", scopes: tracesOnly, projects: []string{"mobile"},
			limits: []limit.Limit{perMinute(limit.Ingest, limit.Requests, 2500)},
			sender: &sender{agent: "OTel-OTLP-Exporter-Java/1.40.0", rhythm: shopping, rate: 290, growth: 0.45, spread: 6, flows: []flow{traces(h, 1, 4)}, from: phones, failing: .001},
		},
		{
			name: "mobile-gateway", description: "Backend for both apps", plan: "pro", age: 252, scopes: otlp, projects: []string{"mobile"},
			acts:   []act{changed(200, func(k *store.Key) { k.Plan = "pro" })},
			sender: &sender{agent: goSDK, rhythm: shopping, rate: 430, growth: 0.4, spread: 2, flows: []flow{traces(g, .7, 20), metrics(.3, 60)}, from: []origin{at("DE", 11, 2, 2), at("NL", 5, 1, 1)}, failing: .0008},
		},
		{
			name: "web-rum", description: "Real user monitoring in the browser", plan: "pro", age: 133, by: "mei", owner: "mei", scopes: tracesOnly, projects: []string{"storefront"},
			sender: &sender{agent: browser, rhythm: shopping, rate: 210, growth: 0.5, spread: 6, flows: []flow{traces(h, 1, 3)}, from: phones, failing: .0015, refused: []refusal{{reason: identity.ProjectNotAllowed, share: .002}}},
		},
		{
			name: "edge-fleet", description: "Parcel lockers, 340 of them", plan: "pro", age: 118, by: "david", owner: "david", scopes: []identity.Scope{identity.MetricsWrite, identity.LogsWrite}, projects: []string{"edge"}, countries: []string{"DE", "NL", "IE"},
			sender: &sender{agent: collector, rhythm: steady, rate: 68, growth: 0.4, spread: 5, flows: []flow{metrics(.8, 24), logs(g, .2, 6)}, from: []origin{at("DE", 2000, 220, 3), at("NL", 2000, 80, 1), at("IE", 2000, 40, .6)}, failing: .002},
		},
		{
			name: "partner-globex", description: "Globex: traces of the shared checkout", plan: "pro", age: 175, expires: 5, scopes: tracesOnly, projects: []string{"partners"}, countries: []string{"GB"}, allowed: []string{"198.51.100.0/24", "192.0.2.112/28"},
			sender: &sender{agent: dotnetSDK, rhythm: office, rate: 34, growth: 0.1, spread: 1, flows: []flow{traces(h, 1, 11)}, from: []origin{at("GB", 4, 2, 1)}, failing: .001, refused: []refusal{{reason: identity.ProjectNotAllowed, share: .004}}},
		},
		{
			name: "partner-initech", description: "Initech: logistics events", plan: "pro", age: 109, expires: 74, scopes: []identity.Scope{identity.TracesWrite, identity.LogsWrite}, projects: []string{"partners"}, countries: []string{"US"},
			sender: &sender{agent: javaSDK, rhythm: office, rate: 22, growth: 0.1, spread: 1, flows: []flow{traces(h, .5, 9), logs(h, .5, 33)}, from: []origin{at("US", 9, 2, 1)}, failing: .001},
		},
		{
			name: "trial-widget", description: "Trial of the chat widget with a customer", age: 37, expires: 23, by: "mei", owner: "mei", scopes: tracesOnly, projects: []string{"trials"},
			sender: &sender{agent: nodeSDK, rhythm: office, rate: 92, growth: 0.4, spread: 2, flows: []flow{traces(h, 1, 5)}, from: []origin{at("FR", 4, 3, 1)}, failing: .001},
		},
	}
}

// machines call the admin API.
func machines() []*key {
	return []*key{
		{
			name: "nginx-verify", description: "Forward authentication of the dataset API", plan: "enterprise", age: 194, scopes: []identity.Scope{identity.KeysVerify, identity.DatasetsRead},
			sender: &sender{agent: nginxAgent, rhythm: office, rate: 46, growth: 0.3, spread: 1, flows: []flow{call(verify, 1)}, from: []origin{at(inside, 12, 2, 1)}},
		},
		{
			name: "token-broker", description: "Introspection for the API gateway", plan: "enterprise", age: 151, scopes: []identity.Scope{identity.KeysVerify},
			sender: &sender{agent: "Envoy/1.32", rhythm: shopping, rate: 28, growth: 0.3, spread: 1, flows: []flow{call(introspect, 1)}, from: []origin{at(inside, 20, 2, 1)}},
		},
		{
			name: backupKey, description: "Weekly backup of keys, users and audit log", plan: "enterprise", age: 303, scopes: adminScope, allowed: []string{"203.0.113.0/24", "192.0.2.48/28"},
			sender: &sender{agent: gatectl, rhythm: nightly(2, .2), rate: .1, spread: 1, flows: []flow{call(getKeys, 1)}, from: []origin{at("PT", 0, 1, 1)}},
		},
		{
			name: "synthetic-checks", description: "Probes of all regions", plan: "free", age: 240, scopes: tracesOnly, projects: []string{"platform"},
			sender: &sender{agent: telemetry, rhythm: steady, rate: 4, spread: 3, flows: []flow{traces(access.GRPC, .5, 1), traces(access.HTTP, .5, 1)}, from: []origin{at("DE", 13, 1, 1), at("US", 12, 1, 1), at("SG", 0, 1, 1)}},
		},
		{name: "status-page", description: "Planned: figures for the status page", age: 58, scopes: readOnly},
		{name: "datalake-export", description: "Export into the data lake, not live yet", age: 12, plan: "pro", scopes: readOnly, projects: []string{"analytics"}},
	}
}

// people have keys for their own work.
func people() []*key {
	const h = access.HTTP
	desk := func(rate float64, from origin, flows ...flow) *sender {
		return &sender{agent: gatectl, rhythm: office, rate: rate, spread: 1, flows: flows, from: []origin{from}}
	}
	admin := []flow{call(getKeys, .3), call(getAllUsage, .2), call(getTop, .2), call(getLogs, .15), call(getAlerts, .1), call(getAudit, .05)}
	own := []flow{call(getKeys, .5), call(getUsage, .3), call(getLogs, .2)}
	return []*key{
		{name: "ines-cli", description: "Inês' laptop", owner: "ines", plan: "enterprise", age: 320, scopes: adminScope, sender: desk(.3, at("PT", 0, 1, 1), admin...)},
		{name: "tomasz-cli", description: "Tomasz' laptop", owner: "tomasz", plan: "enterprise", age: 234, scopes: adminScope, sender: desk(.5, at("PL", 0, 1, 1), admin...)},
		{name: "amara-cli", description: "Amara's laptop", owner: "amara", age: 304, scopes: readWrite, sender: desk(.06, at("GB", 0, 1, 1), own...)},
		{name: "kenji-cli", description: "Kenji's laptop", owner: "kenji", age: 296, scopes: readWrite, sender: desk(.05, at("JP", 0, 1, 1), own...)},
		{name: "priya-laptop", description: "Priya's laptop", owner: "priya", age: 290, scopes: readWrite, plan: "pro", signIn: true, sender: desk(.12, at("IN", 0, 1, 1), append([]flow{traces(h, .8, 9)}, own...)...)},
		{name: "mei-cli", description: "Mei-Ling's laptop", owner: "mei", age: 274, scopes: readWrite, sender: desk(.05, at("DE", 1, 1, 1), own...)},
		{name: "lucas-cli", description: "Lucas' laptop", owner: "lucas", age: 260, scopes: readWrite, sender: desk(.08, at("FR", 0, 1, 1), own...)},
		{name: "sofia-cli", description: "Sofía's laptop", owner: "sofia", age: 226, scopes: readWrite, sender: desk(.04, at("ES", 0, 1, 1), own...)},
		{name: "fatima-notebook", description: "Notebooks of the analysts", owner: "fatima", age: 173, scopes: readOnly, plan: "pro", signIn: true, sender: desk(.2, at("PT", 1, 1, 1), own...)},
		{name: "david-cli", description: "David's workstation", owner: "david", age: 145, scopes: readWrite, sender: desk(.05, at("IE", 0, 1, 1), own...)},
		{name: "oskar-reports", description: "Cost reports", owner: "oskar", age: 91, scopes: readOnly, sender: desk(.05, at("SE", 0, 1, 1), own...)},
		{name: "noor-cli", description: "Noor's laptop", owner: "noor", age: 50, scopes: readWrite, sender: desk(.1, at("DE", 0, 1, 1), own...)},
	}
}

// experiments are keys of test environments.
func experiments() []*key {
	const g, h = access.GRPC, access.HTTP
	ci := at("US", 5, 4, 1)
	return []*key{
		{
			name: "ci-e2e", description: "End-to-end tests in CI", test: true, by: "tomasz", owner: "tomasz", plan: "pro", age: 229, scopes: otlp, projects: []string{"ci"},
			sender: &sender{agent: telemetry, rhythm: bursts, rate: 75, growth: 0.2, spread: 2, flows: []flow{traces(g, .6, 5), traces(h, .2, 5), logs(h, .2, 5)}, from: []origin{ci}, failing: .008},
		},
		{
			name: "ci-loadtest", description: "Load tests, on Fridays", test: true, by: "tomasz", owner: "tomasz", plan: "free", age: 188, scopes: otlp, projects: []string{"ci"},
			limits: []limit.Limit{perMinute(limit.Ingest, limit.Requests, 600)},
			sender: &sender{agent: telemetry, rhythm: weekly(time.Friday, 10, .7), rate: 640, spread: 1, flows: []flow{traces(g, 1, 100)}, from: []origin{ci}},
		},
		{
			name: "checkout-staging", description: "Checkout service, staging", test: true, owner: "mei", by: "mei", plan: "pro", age: 266, scopes: otlp, projects: []string{"storefront"},
			sender: &sender{agent: goSDK, rhythm: office, rate: 24, spread: 1, flows: []flow{traces(g, .7, 40), metrics(.3, 110)}, from: []origin{at("DE", 5, 1, 1)}, failing: .003},
		},
		{
			name: "payments-sandbox", description: "Payments against the sandbox of the bank", test: true, owner: "amara", by: "amara", age: 293, scopes: otlp, projects: []string{"payments"},
			sender: &sender{agent: javaSDK, rhythm: office, rate: 9, spread: 1, flows: []flow{traces(g, .8, 30), logs(g, .2, 20)}, from: []origin{at("GB", 1, 1, 1)}, failing: .004},
		},
		{
			name: "kenji-notebook", description: "Jupyter", test: true, owner: "kenji", by: "kenji", age: 211, scopes: readWrite,
			sender: &sender{agent: pythonSDK, rhythm: bursts, rate: 3, spread: 1, flows: []flow{traces(h, 1, 7)}, from: []origin{at("JP", 0, 1, 1)}},
		},
		{
			name: "noor-experiments", description: "Prompt experiments", test: true, owner: "noor", by: "noor", age: 40, scopes: evals, projects: []string{"evals"},
			sender: &sender{agent: pythonSDK, rhythm: bursts, rate: 14, spread: 1, flows: []flow{traces(h, 1, 31)}, from: []origin{at("DE", 0, 1, 1)}},
		},
		{
			name: "sofia-airflow-dev", description: "Airflow on the laptop", test: true, owner: "sofia", by: "sofia", age: 138, scopes: tracesOnly,
			sender: &sender{agent: pythonOld, rhythm: bursts, rate: 2, spread: 1, flows: []flow{traces(h, 1, 5)}, from: []origin{at("ES", 0, 1, 1)}, spans: []span{{400, 60}}},
		},
		{
			name: "david-bench", description: "Benchmarks of the edge collector", test: true, owner: "david", by: "david", age: 112, scopes: everything, plan: "pro",
			sender: &sender{agent: telemetry, rhythm: bursts, rate: 16, spread: 1, flows: []flow{metrics(1, 50)}, from: []origin{at("IE", 0, 1, 1)}, spans: []span{{400, 38}}},
		},
		{
			name: "lucas-simulator", description: "Simulators of the app teams", test: true, owner: "lucas", by: "lucas", age: 232, scopes: tracesOnly, projects: []string{"mobile"},
			sender: &sender{agent: swiftSDK, rhythm: office, rate: 6, spread: 1, flows: []flow{traces(h, 1, 4)}, from: []origin{at("FR", 0, 1, 1)}},
		},
		{
			name: "jaeger-bridge", description: "Old Jaeger clients", plan: "free", age: 284, scopes: tracesOnly,
			sender: &sender{agent: "okhttp/4.9.3", rhythm: steady, rate: 3, spread: 1, flows: []flow{traces(h, 1, 10)}, from: []origin{at("DE", 12, 1, 1)}, spans: []span{{400, 61}}},
		},
		{name: "onboarding-demo", description: "For the workshop", test: true, owner: "noor", by: "noor", age: 34, expires: 300, scopes: tracesOnly},
	}
}

// endings are keys that are no longer valid, some of which are still sent with.
func endings() []*key {
	const g, h = access.GRPC, access.HTTP
	return []*key{
		{
			name: "legacy-importer", description: "Import of the old shop, to be retired", plan: "free", age: 262, expires: -20, scopes: tracesOnly, projects: []string{"storefront"},
			sender: &sender{agent: pythonOld, rhythm: steady, rate: 4, spread: 1, flows: []flow{traces(h, 1, 6)}, from: []origin{at("IT", 0, 1, 1)}, insists: .05},
		},
		{
			name: "contractor-q2", description: "Agency, second quarter", age: 170, expires: -82, scopes: tracesOnly, owner: "mei", by: "mei",
			sender: &sender{agent: nodeSDK, rhythm: office, rate: 5, spread: 1, flows: []flow{traces(h, 1, 6)}, from: []origin{at("VN", 0, 1, 1)}, insists: .003},
		},
		{name: "hackathon", description: "Two days in May", test: true, owner: "lucas", by: "lucas", age: 196, expires: -190, scopes: tracesOnly},
		{
			name: "hannah-etl", description: "Hannah's ETL", owner: "hannah", by: "hannah", age: 190, scopes: readWrite, projects: []string{"analytics"},
			sender: &sender{agent: pythonSDK, rhythm: nightly(5, .8), rate: 18, spread: 1, flows: []flow{traces(h, 1, 9)}, from: []origin{at("DE", 12, 1, 1)}, insists: .2},
		},
		{name: "hannah-local", description: "Hannah's laptop", owner: "hannah", age: 208, scopes: readWrite},
		{name: "viktor-bot", description: "Release notes", owner: "viktor", age: 245, scopes: readWrite},
		{
			name: "old-gateway", description: "The gateway before this one", plan: "pro", age: 318, scopes: otlp, acts: []act{revoked(52)},
			sender: &sender{agent: "OpenTelemetry Collector Contrib/0.88.0 (linux/amd64)", rhythm: steady, rate: 30, spread: 1, flows: []flow{traces(g, 1, 50)}, from: []origin{at(inside, 60, 2, 1)}, insists: .004},
		},
		{
			name: "leaked-in-repo", description: "Was found in a public repository", owner: "lucas", by: "lucas", age: 31, scopes: tracesOnly, projects: []string{"mobile"}, acts: []act{revoked(27)},
			sender: &sender{agent: "python-requests/2.32.3", rhythm: steady, rate: 1.2, spread: 1, flows: []flow{traces(h, 1, 1)}, from: []origin{at("VN", 3, 1, 1), at("RU", 5, 1, 1)}, insists: .15, spans: []span{{27.5, 19}}},
		},
		{name: "partner-acme", description: "Acme: contract ended", plan: "pro", age: 236, scopes: tracesOnly, projects: []string{"partners"}, acts: []act{rotated(150, 2*day), revoked(66)}},
		{name: "mobile-beta", description: "Beta of the app", owner: "lucas", by: "lucas", age: 180, scopes: tracesOnly, projects: []string{"mobile"}, acts: []act{changed(160, func(k *store.Key) { k.Projects = []string{"mobile", "trials"} }), revoked(104)}},
	}
}
