-- Renew the lease of an instance, unless it was declared dead.
local key = P .. 'instance:' .. asked.id
local known = call('exists', key)
if known == 1 then
    call('hset', key, 'beat', asked.now)
end
return known
