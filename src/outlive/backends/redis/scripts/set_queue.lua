-- Set a queue for all instances, or forget it.
put_or_clear(P .. 'settings', asked.name, asked.state)
return 1
