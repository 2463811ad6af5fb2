-- Take over the schedules that an instance declares; what has been there goes on, unless its declaration is another now.
-- needs: schedules_kit
for _, entry in ipairs(asked.entries) do
    local key = P .. 'schedule:' .. entry.name
    local known = call('hmget', key, 'declared', 'rule', 'paused', 'last_at')
    if not known[2] then
        add(entry)
        known[3] = entry.paused
    elseif known[1] ~= entry.declared then
        change(entry, known[2], known[3])
    end
    call('hset', key, 'func', entry.func, 'declared', entry.declared)
    local window = entry.startup_window
    local has_fired = known[4] and window and asked.now - known[4] < tonumber(window)
    if window and not known[3] and not has_fired then
        set_next(entry.name, asked.now, false)
    end
end
return 1
