-- Put an event into the history.
-- needs: leases
note_event(asked.event)
return 1
