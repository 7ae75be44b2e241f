-- +goose Up

-- How far an import of older data has come, so that it can be stopped and go on.
create table if not exists verobridge.imports (
    target      text        not null,
    origin      text        not null,
    position    text        not null,
    digest      text        not null,
    counts      jsonb       not null,
    updated_at  timestamptz not null,
    finished_at timestamptz,
    primary key (target, origin)
);

comment on table  verobridge.imports is 'How far an import has come with each file or table.';
comment on column verobridge.imports.target is 'The schema that it is imported into.';
comment on column verobridge.imports.origin is 'A file, or a table of another schema as host/database/schema/table.';
comment on column verobridge.imports.position is 'The number of the last line, or the id of the last row; empty when a table is finished.';
comment on column verobridge.imports.digest is 'What the lines up to there were; empty for tables.';
comment on column verobridge.imports.counts is 'What was read, and what became of it.';

-- +goose Down
drop table verobridge.imports;
