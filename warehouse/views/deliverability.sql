-- One row for each domain of recipients.
create or replace view email_analytics.deliverability as
with message as (
  select source, message, coalesce(nullif(split_part(max(address), '@', 2), ''), '(unknown)') as domain,
         bool_or(step = 'sent') as sent,
         bool_or(step = 'delivered') as delivered,
         bool_or(step = 'bounced') as bounced,
         bool_or(step = 'bounced' and bounce_type = 'hard') as bounced_hard,
         bool_or(step = 'opened' and not likely_machine) as opened_by_human,
         bool_or(step = 'opened' and machine_reason = 'apple_mail_privacy') as opened_by_apple,
         bool_or(step = 'spam') as spam,
         max(at) filter (where step = 'delivered') as delivered_at
  from email_analytics.emails
  group by source, message
)
select source, domain,
       count(*) filter (where sent) as sent,
       count(*) filter (where delivered) as delivered,
       count(*) filter (where bounced) as bounced,
       count(*) filter (where bounced_hard) as bounced_hard,
       count(*) filter (where opened_by_human) as opened_by_human,
       count(*) filter (where opened_by_apple) as opened_by_apple,
       count(*) filter (where spam) as spam,
       round(count(*) filter (where delivered)::numeric / nullif(count(*) filter (where sent), 0), 4) as delivery_rate,
       round(count(*) filter (where bounced)::numeric / nullif(count(*) filter (where sent), 0), 4) as bounce_rate,
       round(count(*) filter (where spam)::numeric / nullif(count(*) filter (where delivered), 0), 4) as spam_rate,
       max(delivered_at) as last_delivered_at
from message
group by source, domain;

comment on view email_analytics.deliverability is 'Each domain of recipients, with what became of the emails to it.';
