-- One row for each email event of all sources of type vero. Types are the same
-- whatever those of an adopted table are.
create or replace view email_analytics.emails as
with event as (
  select ''::text as source, ''::text as step, ''::text as id, ''::text as user_id, ''::text as address,
         ''::text as email_id, ''::text as email_subject, ''::text as campaign_id, ''::text as campaign_name,
         ''::text as variation, ''::text as link_url, ''::text as bounce_type,
         ''::text as user_agent, ''::text as ip, now() as at
  where false
{{- range $source := .Vero}}{{range $.Steps}}
  union all
  select {{literal $source}}, '{{.Name}}', id::text, user_id::text,
         lower(coalesce(context_traits_email::text, sent_to::text, case when anonymous_id::text like '%@%' then anonymous_id::text end)),
         coalesce(email_id::text, context_message_id::text), email_subject::text, campaign_id::text, campaign_name::text,
         variation::text, {{if eq .Name "clicked"}}link_url::text{{else}}null{{end}}, {{if eq .Name "bounced"}}bounce_type::text{{else}}null{{end}},
         context_user_agent::text, context_ip::text, "timestamp"::timestamptz
  from {{identifier $source}}.{{.Table}}
{{- end}}{{end}}
), timed as (
  select *,
         -- An email is known by its id, or by its campaign and recipient.
         coalesce(email_id, concat_ws(' ', campaign_id, user_id, address)) as message,
         coalesce(user_id, address) as person
  from event
), judged as (
  select *,
         min(at) filter (where step = 'delivered') over (partition by source, message) as delivered_at,
         count(*) filter (where step = 'clicked') over (
           partition by source, message order by at
           range between interval '5 seconds' preceding and interval '5 seconds' following) as clicks_nearby
  from timed
), reasoned as (
  select *,
         email_analytics.machine_reason(step, user_agent, at, delivered_at, clicks_nearby) as machine_reason
  from judged
)
select source, step, id, message, person, user_id, address, email_id, email_subject, campaign_id, campaign_name,
       variation, link_url, bounce_type, user_agent, ip, at, delivered_at,
       machine_reason is not null as likely_machine, machine_reason
from reasoned;

comment on view email_analytics.emails is 'Each email event, with who it is about and whether a machine is the likely cause of an open or click.';
