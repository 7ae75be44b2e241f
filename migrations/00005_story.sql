-- +goose Up

-- What SQL needs to explain what has no row in deliveries yet: the bridge writes
-- it every few seconds.
create table if not exists verobridge.destinations (
    name            text        primary key,
    type            text        not null,
    state           text        not null,
    reason          text,
    detail          text,
    since           timestamptz not null,
    behind_since    timestamptz,
    complete_until  timestamptz,
    backlog_records bigint      not null,
    retrying_events bigint      not null,
    updated_at      timestamptz not null
);

comment on table  verobridge.destinations is 'How each destination stands. The loader is the one named warehouse.';
comment on column verobridge.destinations.state is 'running, paused (it takes nothing and is probed) or gone (it is no longer in the settings).';
comment on column verobridge.destinations.reason is 'Why it is paused, a stable code; detail says it as a sentence.';
comment on column verobridge.destinations.since is 'Since when it is in this state.';
comment on column verobridge.destinations.behind_since is 'When the oldest event was received that has had no turn; null if there is none.';
comment on column verobridge.destinations.complete_until is 'Every event for it that was received before has a row in deliveries.';
comment on column verobridge.destinations.backlog_records is 'Records, of one or more events each, that have had no turn.';
comment on column verobridge.destinations.retrying_events is 'Events that wait for another attempt.';

create table if not exists verobridge.sources (
    name       text        primary key,
    type       text        not null,
    trust      text        not null,
    schema     text        not null,
    updated_at timestamptz not null
);

comment on table verobridge.sources is 'The sources in the settings. Others have been removed or renamed.';

create table if not exists verobridge.routes (
    source      text        not null,
    destination text        not null,
    since       timestamptz not null,
    primary key (source, destination)
);

comment on table  verobridge.routes is 'Which destinations the events of each source go to.';
comment on column verobridge.routes.since is 'Events that were received before owe it nothing.';

-- The door refuses these as a whole and keeps none of their events. What is kept
-- here is a sample of a bounded size: whoever wants to may send such requests.
create table if not exists verobridge.refusals (
    id          bigint      generated always as identity primary key,
    at          timestamptz not null,
    reason      text        not null,
    detail      text        not null,
    source      text,
    write_key   text,
    message_ids text[]      not null,
    calls       bigint      not null,
    requests    bigint      not null
);
create index if not exists refusals_message_ids_idx on verobridge.refusals using gin (message_ids);
create index if not exists refusals_at_idx on verobridge.refusals (at);

comment on table  verobridge.refusals is 'Requests that were refused as a whole: a sample, equal ones of a few seconds in one row.';
comment on column verobridge.refusals.at is 'When the first of them came.';
comment on column verobridge.refusals.source is 'The source of the write key, null if it belongs to none or none came.';
comment on column verobridge.refusals.write_key is 'The first characters of the write key.';
comment on column verobridge.refusals.message_ids is 'The messageIds in them, as far as the door read them, a few at most.';
comment on column verobridge.refusals.calls is 'How many calls were in them, as far as the door read them.';

-- What was refused call by call can be found by what it said of itself.
alter table verobridge.rejected_events
    add column if not exists message_id   text,
    add column if not exists user_id      text,
    add column if not exists anonymous_id text;
create index if not exists rejected_events_message_id_idx   on verobridge.rejected_events (message_id) where message_id is not null;
create index if not exists rejected_events_user_id_idx      on verobridge.rejected_events (user_id, received_at) where user_id is not null;
create index if not exists rejected_events_anonymous_id_idx on verobridge.rejected_events (anonymous_id, received_at) where anonymous_id is not null;

create index if not exists held_events_message_id_idx on verobridge.held_events (message_id);

-- An event with a final fate somewhere and without a row where it was due. An
-- event that waits is left out, because its other rows may be gone already where
-- old rows are deleted.
create or replace view verobridge.unaccounted as
select distinct e.source, e.message_id, r.destination, e.received_at
from verobridge.deliveries e
join verobridge.routes r on r.source = e.source and e.received_at >= r.since
join verobridge.destinations d on d.name = r.destination and d.state <> 'gone' and e.received_at < d.complete_until
where e.type <> 'rejected' and e.status not in ('waiting', 'held')
  and not exists (
    select from verobridge.deliveries o
    where o.source = e.source and o.message_id = e.message_id and o.destination = r.destination);

comment on view verobridge.unaccounted is 'Events whose fate at a destination of their source nobody knows. It is always empty, or something is wrong.';

-- +goose Down
drop view verobridge.unaccounted;
drop index verobridge.held_events_message_id_idx;
alter table verobridge.rejected_events drop column message_id, drop column user_id, drop column anonymous_id;
drop table verobridge.refusals;
drop table verobridge.routes;
drop table verobridge.sources;
drop table verobridge.destinations;
