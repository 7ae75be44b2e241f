-- The funnel of each campaign.
with msg as (
  select 'sent' as step, campaign_id, coalesce(user_id, anonymous_id) as who from vero.email_sent
  union all select 'delivered',    campaign_id, coalesce(user_id, anonymous_id) from vero.email_delivered
  union all select 'bounced',      campaign_id, coalesce(user_id, anonymous_id) from vero.email_bounced
  union all select 'opened',       campaign_id, coalesce(user_id, anonymous_id) from vero.email_opened
  union all select 'clicked',      campaign_id, coalesce(user_id, anonymous_id) from vero.email_link_clicked
  union all select 'unsubscribed', campaign_id, coalesce(user_id, anonymous_id) from vero.email_unsubscribed
  union all select 'spam',         campaign_id, coalesce(user_id, anonymous_id) from vero.email_marked_as_spam
)
select campaign_id,
       count(distinct who) filter (where step = 'sent')      as sent,
       count(distinct who) filter (where step = 'delivered') as delivered,
       count(distinct who) filter (where step = 'opened')    as opened,
       count(distinct who) filter (where step = 'clicked')   as clicked,
       round(count(distinct who) filter (where step = 'opened')::numeric
             / nullif(count(distinct who) filter (where step = 'delivered'), 0), 4) as open_rate
from msg group by campaign_id;
