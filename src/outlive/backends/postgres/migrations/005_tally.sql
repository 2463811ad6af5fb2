-- How many records have ended how: what each writer has added and taken away, so that no two wait for each other. What
-- comes from no writer, and from those that are gone, is added to the row without a name.
-- compatible from: 5

create table outlive_tally (
    writer text not null,
    final text not null,
    count bigint not null,
    primary key (writer, final)
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

insert into outlive_tally (writer, final, count)
select '', final, count(*) from outlive_record where final is not null group by final;
