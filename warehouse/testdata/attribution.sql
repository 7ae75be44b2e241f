-- The email that each order is credited to: the last click before it, else the last open.
with touch as (
  select 'click' as kind, coalesce(t.user_id, u.id) as user_id, t.campaign_name, t."timestamp" as touched_at
  from vero.email_link_clicked t
  left join app.users u on t.user_id is null
       and lower(u.email) = lower(coalesce(t.context_traits_email, t.anonymous_id))
  union all
  select 'open', coalesce(t.user_id, u.id), t.campaign_name, t."timestamp"
  from vero.email_opened t
  left join app.users u on t.user_id is null
       and lower(u.email) = lower(coalesce(t.context_traits_email, t.anonymous_id))
)
select o.order_id, o.total, x.kind, x.campaign_name, x.touched_at
from app.order_completed o
left join lateral (
  select * from touch t
  where t.user_id = o.user_id and t.touched_at <= o."timestamp"
    and t.touched_at > o."timestamp" - interval '7 days'
  order by (t.kind = 'click') desc, t.touched_at desc
  limit 1) x on true;
