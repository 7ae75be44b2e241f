-- +goose Up

-- The newest first, and in bounded steps backwards, whatever is asked for.
create index if not exists deliveries_received_at_idx on verobridge.deliveries (received_at);

-- What was not simply delivered is looked up and counted by status, destination
-- and reason, from the index alone.
create index if not exists deliveries_fate_idx on verobridge.deliveries (status, received_at, destination, reason) where status <> 'delivered';
drop index if exists verobridge.deliveries_status_idx;

-- +goose Down
create index deliveries_status_idx on verobridge.deliveries (destination, status, received_at) where status <> 'delivered';
drop index verobridge.deliveries_fate_idx;
drop index verobridge.deliveries_received_at_idx;
