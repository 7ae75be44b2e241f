package retention

// table is one whose rows are deleted.
type table struct {
	name string
	// next returns the time of the row that is so many after others: $1 is the
	// first time, $2 the last, $3 how many.
	next string
	// deletion deletes the rows from $1 on and before $2.
	deletion string
	// whole says that deletion deletes events whole, none of which a row is left
	// of that is not before $3, or dead and not before $4.
	whole bool
}

// tables are those with rows about events and requests that are deleted.
var tables = []table{{
	name: "deliveries",
	next: `select received_at from verobridge.deliveries
		where received_at >= $1 and received_at < $2 order by received_at offset $3 limit 1`,
	deletion: `
		with old as (
			select distinct source, message_id from verobridge.deliveries
			where received_at >= $1 and received_at < $2),
		done as (
			select source, message_id from old
			where not exists (
				select from verobridge.deliveries kept
				where kept.source = old.source and kept.message_id = old.message_id
				  and (kept.status in ('waiting', 'held') or kept.received_at >= $3
				    or kept.status in ('dead', 'ambiguous') and kept.received_at >= $4))
			and not exists (
				select from verobridge.deliveries owing
				join verobridge.routes r on r.source = owing.source and owing.received_at >= r.since
				join verobridge.destinations d on d.name = r.destination and d.state <> 'gone'
				  and (d.complete_until is null or owing.received_at >= d.complete_until)
				where owing.source = old.source and owing.message_id = old.message_id
				  and not exists (
					select from verobridge.deliveries o
					where o.source = owing.source and o.message_id = owing.message_id and o.destination = r.destination)))
		delete from verobridge.deliveries d using done
		where d.source = done.source and d.message_id = done.message_id`,
	whole: true,
}, {
	name: "rejected_events",
	next: `select received_at from verobridge.rejected_events
		where received_at >= $1 and received_at < $2 order by received_at offset $3 limit 1`,
	deletion: `delete from verobridge.rejected_events where received_at >= $1 and received_at < $2`,
}, {
	name: "refusals",
	next: `select at from verobridge.refusals
		where at >= $1 and at < $2 order by at offset $3 limit 1`,
	deletion: `delete from verobridge.refusals where at >= $1 and at < $2`,
}}
