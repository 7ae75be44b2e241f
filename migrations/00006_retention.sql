-- +goose Up

-- Old rows are found by their time, to be deleted.
create index if not exists deliveries_received_at_idx      on verobridge.deliveries (received_at);
create index if not exists rejected_events_received_at_idx on verobridge.rejected_events (received_at);

-- +goose Down
drop index if exists verobridge.rejected_events_received_at_idx;
drop index if exists verobridge.deliveries_received_at_idx;
