-- One row for each person that got an email.
create or replace view email_analytics.recipients as
with back as (
  select ''::text as source, ''::text as person, now() as at
  where false
{{- range .Vero}}
  union all
  select {{literal .}}, coalesce(user_id::text, lower(anonymous_id::text)), "timestamp"::timestamptz
  from {{identifier .}}.tracks where event::text = 'email_resubscribed'
{{- end}}
), resubscribed as (
  select source, person, max(at) as at from back group by source, person
), summed as (
  select source, person, max(user_id) as user_id,
         (array_agg(address order by at desc) filter (where address is not null))[1] as address,
         count(distinct message) filter (where step = 'sent') as emails_sent,
         count(distinct message) filter (where step = 'opened' and not likely_machine) as emails_opened_by_human,
         count(distinct message) filter (where step = 'clicked' and not likely_machine) as emails_clicked_by_human,
         max(at) filter (where step = 'sent') as last_sent_at,
         (array_agg(campaign_name order by at desc) filter (where step = 'sent'))[1] as last_campaign_name,
         max(at) filter (where step = 'delivered') as last_delivered_at,
         max(at) filter (where step = 'opened') as last_open_at,
         max(at) filter (where step = 'opened' and not likely_machine) as last_human_open_at,
         max(at) filter (where step = 'clicked' and not likely_machine) as last_human_click_at,
         max(at) filter (where step = 'bounced') as last_bounce_at,
         max(at) filter (where step = 'unsubscribed') as unsubscribed_at,
         max(at) filter (where step = 'spam') as spam_at
  from email_analytics.emails
  group by source, person
)
select s.*,
       case
         when spam_at is not null then 'complained'
         when unsubscribed_at > coalesce(r.at, '-infinity') then 'unsubscribed'
         when last_bounce_at > coalesce(last_delivered_at, '-infinity') then 'bouncing'
         else 'reachable'
       end as state
from summed s
left join resubscribed r using (source, person);

comment on view email_analytics.recipients is 'Each person that emails were sent to: counts, the latest of each step, and whether emails still reach them.';
