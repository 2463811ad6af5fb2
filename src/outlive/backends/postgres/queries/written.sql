-- What a writer wrote last.
select seq, places, ids from outlive_writer where id = :writer;
