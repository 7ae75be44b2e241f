-- Product events credited to an email: to the last click by a human within the
-- span before them, else to the last open by a human.
create or replace function email_analytics.attribution_within(span interval)
returns table (
  source text, event_id text, event text, event_text text, user_id text, "timestamp" timestamptz, credit text,
  email_source text, message text, campaign_id text, campaign_name text, link_url text, touched_at timestamptz
) language sql stable as $$
  with product_event as (
    select ''::text as source, ''::text as id, ''::text as event, ''::text as event_text, ''::text as user_id, now() as at
    where false
{{- range .Apps}}
    union all
    select {{literal .}}, id::text, event::text, event_text::text, user_id::text, "timestamp"::timestamptz
    from {{identifier .}}.tracks where user_id is not null
{{- end}}
  ), known as (
    select ''::text as user_id, ''::text as address
    where false
{{- range .Apps}}
    union
    select id::text, lower(email::text) from {{identifier .}}.users where email is not null
{{- end}}
  ), touch as (
    -- Vero does not know the user id of everybody it mails.
    select e.*, coalesce(e.user_id, k.user_id) as by
    from email_analytics.emails e
    left join known k on e.user_id is null and k.address = e.address
    where e.step in ('opened', 'clicked') and not e.likely_machine
  )
  select distinct on (p.source, p.id)
         p.source, p.id, p.event, p.event_text, p.user_id, p.at, case t.step when 'clicked' then 'click' else 'open' end,
         t.source, t.message, t.campaign_id, t.campaign_name, t.link_url, t.at
  from product_event p
  join touch t on t.by = p.user_id and t.at <= p.at and t.at > p.at - span
  order by p.source, p.id, (t.step = 'clicked') desc, t.at desc
$$;

create or replace view email_analytics.attribution as
select * from email_analytics.attribution_within(interval '7 days');

comment on function email_analytics.attribution_within(interval) is 'Each product event that followed an email within the span, with the email it is credited to.';
comment on view email_analytics.attribution is 'Each product event that followed an email within 7 days, with the email it is credited to.';
