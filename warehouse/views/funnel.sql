-- One row for each campaign and day. An email counts once in each step, on the
-- day on which it was sent, so that rates compare the same emails.
create or replace view email_analytics.funnel as
with message as (
  select source, campaign_id, message, max(campaign_name) as campaign_name,
         (coalesce(min(at) filter (where step = 'sent'), min(at)) at time zone 'UTC')::date as day,
         bool_or(step = 'sent') as sent,
         bool_or(step = 'delivered') as delivered,
         bool_or(step = 'opened') as opened,
         bool_or(step = 'opened' and not likely_machine) as opened_by_human,
         bool_or(step = 'clicked') as clicked,
         bool_or(step = 'clicked' and not likely_machine) as clicked_by_human,
         bool_or(step = 'bounced') as bounced,
         bool_or(step = 'unsubscribed') as unsubscribed,
         bool_or(step = 'spam') as spam
  from email_analytics.emails
  group by source, campaign_id, message
), counted as (
  select source, campaign_id, max(campaign_name) as campaign_name, day,
         count(*) filter (where sent) as sent,
         count(*) filter (where delivered) as delivered,
         count(*) filter (where opened) as opened,
         count(*) filter (where opened_by_human) as opened_by_human,
         count(*) filter (where clicked) as clicked,
         count(*) filter (where clicked_by_human) as clicked_by_human,
         count(*) filter (where bounced) as bounced,
         count(*) filter (where unsubscribed) as unsubscribed,
         count(*) filter (where spam) as spam
  from message
  group by source, campaign_id, day
)
select *,
       round(delivered::numeric / nullif(sent, 0), 4) as delivery_rate,
       round(opened::numeric / nullif(delivered, 0), 4) as open_rate,
       round(opened_by_human::numeric / nullif(delivered, 0), 4) as human_open_rate,
       round(clicked::numeric / nullif(delivered, 0), 4) as click_rate,
       round(clicked_by_human::numeric / nullif(delivered, 0), 4) as human_click_rate,
       round(bounced::numeric / nullif(sent, 0), 4) as bounce_rate,
       round(unsubscribed::numeric / nullif(delivered, 0), 4) as unsubscribe_rate,
       round(spam::numeric / nullif(delivered, 0), 4) as spam_rate
from counted;

comment on view email_analytics.funnel is 'Each campaign and day of sending, with counts of emails and rates.';
