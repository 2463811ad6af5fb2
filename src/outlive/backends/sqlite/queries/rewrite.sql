-- Store arguments and results in another form, where they still are in the form that they had.
-- row: id, had_arguments, arguments, had_result, result
update outlive_record set arguments = move.arguments, result = move.result
from {rows} as move
where outlive_record.id = move.id
    and outlive_record.arguments is move.had_arguments and outlive_record.result is move.had_result;
