-- +goose Up

-- Who anonymous visitors are. A visitor is one of a source: the same id in two
-- sources is two visitors.
create table if not exists verobridge.identities (
    source       text        not null,
    anonymous_id text        not null,
    user_id      text        not null,
    linked_at    timestamptz not null,
    primary key (source, anonymous_id)
);
create index if not exists identities_user_id_idx on verobridge.identities (user_id);

comment on table  verobridge.identities is 'Each anonymousId linked to a person by an identify or alias call; the last call wins.';
comment on column verobridge.identities.linked_at is 'When the call was received that made the link to this user_id.';

-- The body is text, for its bytes are sent later as they came.
create table if not exists verobridge.held_events (
    source       text        not null,
    message_id   text        not null,
    anonymous_id text        not null,
    destination  text        not null,
    body         text        not null,
    received_at  timestamptz not null,
    expires_at   timestamptz not null,
    position     bigint      generated always as identity,
    primary key (source, message_id, destination)
);
create index if not exists held_events_visitor_idx on verobridge.held_events (destination, source, anonymous_id, received_at, position);
create index if not exists held_events_expires_idx on verobridge.held_events (destination, expires_at);

comment on table  verobridge.held_events is 'Each event that a destination holds until its visitor identifies.';
comment on column verobridge.held_events.position is 'The order of storing, for events received at the same time.';

create table if not exists verobridge.suppressions (
    hash  text        not null,
    kind  text        not null,
    since timestamptz not null default now(),
    primary key (hash, kind)
);

comment on table  verobridge.suppressions is 'Each identifier of an erased person, as a salted hash.';
comment on column verobridge.suppressions.kind is 'user, anonymous or email.';

-- One row. Whoever loses it loses all suppressions.
create table if not exists verobridge.suppression_salt (
    salt bytea   not null,
    one  boolean primary key default true check (one)
);

create table if not exists verobridge.erasures (
    id          text        primary key,
    started_at  timestamptz not null,
    finished_at timestamptz,
    hashes      text[]      not null,
    counts      jsonb       not null,
    remaining   text[]      not null
);

comment on table  verobridge.erasures is 'The receipt of each erasure. It names nobody.';
comment on column verobridge.erasures.hashes is 'The identifiers, as in verobridge.suppressions.';
comment on column verobridge.erasures.counts is 'How many rows were deleted, by table.';
comment on column verobridge.erasures.remaining is 'What could not be done yet; run the same command again.';

-- +goose Down
drop table verobridge.erasures;
drop table verobridge.suppression_salt;
drop table verobridge.suppressions;
drop table verobridge.held_events;
drop table verobridge.identities;
