-- +goose Up

-- One row for each event at each destination; a later report replaces it.
create table if not exists verobridge.deliveries (
    source       text        not null,
    message_id   text        not null,
    destination  text        not null,
    type         text        not null,
    event        text,
    user_id      text,
    anonymous_id text,
    status       text        not null,
    reason       text        not null,
    detail       text        not null,
    attempts     integer     not null,
    calls        jsonb       not null default '[]',
    received_at  timestamptz not null,
    settled_at   timestamptz,
    primary key (source, message_id, destination)
);
create index if not exists deliveries_user_id_idx      on verobridge.deliveries (user_id, received_at) where user_id is not null;
create index if not exists deliveries_anonymous_id_idx on verobridge.deliveries (anonymous_id, received_at) where anonymous_id is not null;
create index if not exists deliveries_message_id_idx   on verobridge.deliveries (message_id);
-- Nearly every row is delivered, and nobody looks those up by their status.
create index if not exists deliveries_status_idx       on verobridge.deliveries (destination, status, received_at) where status <> 'delivered';

comment on table  verobridge.deliveries is 'What became of each event at each destination.';
comment on column verobridge.deliveries.status is 'waiting, delivered, skipped or dead; waiting is not final.';
comment on column verobridge.deliveries.reason is 'A stable code; detail says it as a sentence.';
comment on column verobridge.deliveries.calls is 'The requests of the last attempt with their answers, secrets redacted.';
comment on column verobridge.deliveries.settled_at is 'When the fate became final; null while it is not.';

-- The body is text: what was refused need not be valid JSON.
create table if not exists verobridge.rejected_events (
    id          text        primary key,
    source      text        not null,
    received_at timestamptz not null,
    reason      text        not null,
    detail      text        not null,
    body        text        not null
);
create index if not exists rejected_events_source_idx on verobridge.rejected_events (source, received_at);

comment on table verobridge.rejected_events is 'Each event refused at the door inside a request that was accepted.';

-- +goose Down
drop table verobridge.rejected_events;
drop table verobridge.deliveries;
