-- +goose Up

-- What was not simply delivered is looked up and counted by status, destination
-- and reason, from the index alone.
create index if not exists deliveries_fate_idx on verobridge.deliveries (status, received_at, destination, reason) where status <> 'delivered';
drop index if exists verobridge.deliveries_status_idx;

-- +goose Down
create index if not exists deliveries_status_idx on verobridge.deliveries (destination, status, received_at) where status <> 'delivered';
drop index if exists verobridge.deliveries_fate_idx;
