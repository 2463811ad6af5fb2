-- Add a schedule that nobody declares, or change the rule and policy in force of one that there is.
-- needs: schedules_kit
local entry = asked.entry
local known = call('hmget', P .. 'schedule:' .. entry.name, 'rule', 'paused')
if (known[1] and true or false) == asked.new then
    return 0
end
if asked.new then
    add(entry)
else
    change(entry, known[1], known[2])
end
return 1
