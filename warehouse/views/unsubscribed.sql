-- The table that Segment's email spec calls unsubscribed (segment-docs,
-- spec/email), for models made for it.
create or replace view email_analytics.unsubscribed as
select ''::text as source, ''::text as id, now() as received_at, now() as uuid_ts, ''::text as anonymous_id, ''::text as user_id,
       now() as sent_at, now() as "timestamp", ''::text as event, ''::text as event_text,
       ''::text as campaign_id, ''::text as campaign_name, ''::text as email_id, ''::text as email_subject,
       ''::text as list_id, ''::text as list_name, ''::text as context_traits_email
where false
{{- range .Vero}}
union all
select {{literal .}}, id::text, received_at::timestamptz, uuid_ts::timestamptz, anonymous_id::text, user_id::text,
       sent_at::timestamptz, "timestamp"::timestamptz, 'unsubscribed', 'Unsubscribed',
       campaign_id::text, campaign_name::text, email_id::text, email_subject::text,
       list_id::text, list_name::text, context_traits_email::text
from {{identifier .}}.email_unsubscribed
{{- end}};

comment on view email_analytics.unsubscribed is 'email_unsubscribed of all sources, under the name and with the columns of Segment''s email spec.';
