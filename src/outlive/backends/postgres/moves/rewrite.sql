-- Store arguments and results in another form, where they still are in the form that they had.
-- row: id text, had_arguments text, arguments text, had_result text, result text
rewrite as (
    update outlive_record as record set arguments = move.arguments, result = move.result, status = record.status
    from {rows}
    where record.id = move.id and case
        when record.arguments is not distinct from move.had_arguments
            and record.result is not distinct from move.had_result then true
    end
    returning move.place
)
