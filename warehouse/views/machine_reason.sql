-- Why a machine is the likely cause of an open or click, null if a person is. It
-- is a function so that whoever looks at the emails of one person judges as the
-- views do.
create or replace function email_analytics.machine_reason(
  step text, user_agent text, at timestamptz, delivered_at timestamptz, clicks_nearby bigint) returns text
language sql immutable parallel safe as $$
  select case
    when step not in ('opened', 'clicked') then null
    when step = 'opened' and user_agent = 'Mozilla/5.0' then 'apple_mail_privacy'
    when user_agent ~* '(bot|crawl|spider|scan|barracuda|mimecast|proofpoint|trendmicro|headless|python|curl|wget|java/|okhttp|go-http-client|libwww)' then 'scanner_agent'
    when at < delivered_at + interval '2 seconds' then 'too_fast'
    when step = 'clicked' and clicks_nearby >= 3 then 'too_many_clicks'
  end
$$;
