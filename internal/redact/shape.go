package redact

// shape is a credential that its prefix gives away.
type shape struct {
	prefix string // in this case
	tail   charset
	min    int  // of the characters behind the prefix
	exact  bool // there are min characters, and no more
	what   string
}

// shapes are the credentials of the services that people use, as the services
// document them. All but those of hexadecimal digits must have a digit and a
// letter behind the prefix, which spares placeholders such as ghp_xxxx and
// names such as npm_config_registry.
//
// Left out is what cannot be told from a word or a checksum: the secret keys of
// AWS (40 characters of base64) and of Twilio, tokens of Heroku (UUIDs).
var shapes = []shape{
	{"ghp_", setWord, 30, false, "GitHub token"},
	{"gho_", setWord, 30, false, "GitHub token"},
	{"ghu_", setWord, 30, false, "GitHub token"},
	{"ghs_", setWord, 30, false, "GitHub token"},
	{"ghr_", setWord, 30, false, "GitHub token"},
	{"github_pat_", setWord, 30, false, "GitHub token"},
	{"glpat-", setDots, 20, false, "GitLab token"},
	{"gloas-", setDash, 20, false, "GitLab token"},
	{"gldt-", setDash, 20, false, "GitLab token"},
	{"glrt-", setDots, 20, false, "GitLab token"},
	{"glrtr-", setDots, 20, false, "GitLab token"},
	{"glptt-", setDash, 20, false, "GitLab token"},
	{"glft-", setDash, 20, false, "GitLab token"},
	{"glimt-", setDash, 20, false, "GitLab token"},
	{"glagent-", setDash, 20, false, "GitLab token"},
	{"glsoat-", setDash, 20, false, "GitLab token"},
	{"glcbt-", setDash, 20, false, "GitLab token"},
	{"glffct-", setDash, 20, false, "GitLab token"},
	{"xoxb-", setDash, 20, false, "Slack token"},
	{"xoxp-", setDash, 20, false, "Slack token"},
	{"xoxa-", setDash, 20, false, "Slack token"},
	{"xoxr-", setDash, 20, false, "Slack token"},
	{"xoxs-", setDash, 20, false, "Slack token"},
	{"xoxc-", setDash, 20, false, "Slack token"},
	{"xoxd-", setToken, 20, false, "Slack token"},
	{"xoxo-", setDash, 20, false, "Slack token"},
	{"xoxe-", setDash, 20, false, "Slack token"},
	{"xoxe.xox", setDots, 20, false, "Slack token"},
	{"xapp-", setDash, 20, false, "Slack token"},
	{"AKIA", setUpper, 16, true, "AWS access key"},
	{"ASIA", setUpper, 16, true, "AWS access key"},
	{"ABIA", setUpper, 16, true, "AWS access key"},
	{"ACCA", setUpper, 16, true, "AWS access key"},
	{"ABSK", setBase64, 60, false, "AWS Bedrock key"},
	{"AIza", setDash, 35, true, "Google API key"},
	{"ya29.", setDots, 30, false, "Google token"},
	{"GOCSPX-", setDash, 24, false, "Google client secret"},
	{"1//0", setDash, 38, false, "Google token"},
	{"sk-ant-", setDash, 20, false, "Anthropic key"},
	{"sk-proj-", setDash, 20, false, "OpenAI key"},
	{"sk-svcacct-", setDash, 20, false, "OpenAI key"},
	{"sk-admin-", setDash, 20, false, "OpenAI key"},
	{"sk-or-v1-", setHex, 32, false, "OpenRouter key"},
	{"sk-lf-", setDash, 32, false, "Langfuse key"},
	{"sk-", setWord, 32, false, "API key"},
	{"sk_live_", setWord, 16, false, "Stripe key"},
	{"sk_test_", setWord, 16, false, "Stripe key"},
	{"rk_live_", setWord, 16, false, "Stripe key"},
	{"rk_test_", setWord, 16, false, "Stripe key"},
	{"whsec_", setBase64, 24, false, "webhook secret"},
	{"npm_", setWord, 36, true, "npm token"},
	{"pypi-AgE", setDash, 50, false, "PyPI token"},
	{"SG.", setDots, 50, false, "SendGrid key"},
	{"hf_", setWord, 30, false, "Hugging Face token"},
	{"r8_", setWord, 36, false, "Replicate token"},
	{"gsk_", setWord, 40, false, "Groq key"},
	{"xai-", setWord, 60, false, "xAI key"},
	{"pplx-", setWord, 40, false, "Perplexity key"},
	{"nvapi-", setDash, 50, false, "NVIDIA key"},
	{"tvly-", setDash, 24, false, "Tavily key"},
	{"fc-", setHex, 32, true, "Firecrawl key"},
	{"lin_api_", setWord, 30, false, "Linear key"},
	{"lin_oauth_", setWord, 30, false, "Linear token"},
	{"ntn_", setWord, 40, false, "Notion token"},
	{"figd_", setDash, 30, false, "Figma token"},
	{"figo_", setDash, 30, false, "Figma token"},
	{"ATATT3", setBase64, 50, false, "Atlassian token"},
	{"ATCTT3", setBase64, 50, false, "Atlassian token"},
	{"ATBB", setWord, 28, true, "Bitbucket password"},
	{"PMAK-", setDash, 50, false, "Postman key"},
	{"dop_v1_", setHex, 64, false, "DigitalOcean token"},
	{"doo_v1_", setHex, 64, false, "DigitalOcean token"},
	{"dor_v1_", setHex, 64, false, "DigitalOcean token"},
	{"hvs.", setDash, 24, false, "Vault token"},
	{"hvb.", setDash, 24, false, "Vault token"},
	{"hvr.", setDash, 24, false, "Vault token"},
	{"dapi", setHex, 32, true, "Databricks token"},
	{"dckr_pat_", setDash, 24, false, "Docker token"},
	{"dckr_oat_", setDash, 24, false, "Docker token"},
	{"dp.pt.", setWord, 40, false, "Doppler token"},
	{"dp.st.", setDots, 40, false, "Doppler token"},
	{"glsa_", setWord, 32, false, "Grafana token"},
	{"glc_", setBase64, 32, false, "Grafana token"},
	{"NRAK-", setWord, 27, true, "New Relic key"},
	{"pscale_tkn_", setDots, 32, false, "PlanetScale token"},
	{"pscale_pw_", setDots, 32, false, "PlanetScale password"},
	{"pscale_oauth_", setDots, 32, false, "PlanetScale token"},
	{"sntrys_", setBase64, 40, false, "Sentry token"},
	{"sntryu_", setHex, 64, false, "Sentry token"},
	{"shpat_", setHex, 32, false, "Shopify token"},
	{"shpca_", setHex, 32, false, "Shopify token"},
	{"shppa_", setHex, 32, false, "Shopify token"},
	{"shpss_", setHex, 32, false, "Shopify token"},
	{"sq0atp-", setDash, 22, false, "Square token"},
	{"sq0csp-", setDash, 40, false, "Square secret"},
	{"rubygems_", setHex, 48, false, "RubyGems key"},
	{"sbp_", setHex, 40, false, "Supabase token"},
	{"sb_secret_", setDash, 24, false, "Supabase key"},
	{"tskey-", setDash, 24, false, "Tailscale key"},
	{"CCIPAT_", setWord, 40, false, "CircleCI token"},
	{"bkua_", setHex, 40, false, "Buildkite token"},
	{"nfp_", setWord, 36, false, "Netlify token"},
	{"ops_eyJ", setDash, 100, false, "1Password token"},
	{"AGE-SECRET-KEY-1", setUpper, 58, false, "age key"},
	{"FlyV1 fm2_", setBase64, 60, false, "Fly.io token"},
	{"fm2_", setBase64, 60, false, "Fly.io token"},
}

// links are addresses that are credentials: whoever has one may use it.
var links = []shape{
	{"hooks.slack.com/services/", setBase64, 20, false, "Slack webhook"},
	{"hooks.slack.com/triggers/", setBase64, 20, false, "Slack webhook"},
	{"discord.com/api/webhooks/", setBase64, 40, false, "Discord webhook"},
	{"discordapp.com/api/webhooks/", setBase64, 40, false, "Discord webhook"},
}

func (sh shape) finder(wholeWord bool) finder {
	mark := redacted(sh.what)
	return finder{literal: sh.prefix, find: func(t *subject, i, offset int) (edit, bool) {
		at := i - offset
		tail := at + len(sh.prefix)
		if at < 0 || tail > len(t.s) || t.s[at:tail] != sh.prefix || wholeWord && !starts(t.s, at, isWord) {
			return edit{}, false
		}
		to, mixed := t.run(sh.tail, tail)
		if to-tail < sh.min || !mixed && sh.tail != setHex || sh.exact && (to-tail > sh.min || to < len(t.s) && is(t.s[to], isWord)) {
			return edit{}, false
		}
		if !wholeWord {
			at = tail // the address stays, what makes it valid goes
		}
		return edit{at, to, mark, rankShape}, true
	}}
}
