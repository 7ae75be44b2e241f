-- +goose Up

-- A load holds the rows of its schemas until it commits, so loads of one schema
-- follow one another, and uuid_ts grows in the order of their commits.
create table if not exists verobridge.loads (
    schema  text        primary key,
    uuid_ts timestamptz not null
) with (fillfactor = 10);

comment on table verobridge.loads is 'The latest uuid_ts in each schema.';

-- +goose Down
drop table verobridge.loads;
