-- Note what the batch did, in the same transaction, for a writer that may not get the answer.
mark as (
    insert into outlive_writer as writer (id, seq, places, ids, at)
    select batch.writer, batch.seq, answer.places, '{}', now() from batch, answer
    on conflict (id) do update set seq = excluded.seq, places = excluded.places, at = excluded.at
)
