-- Take the lease from whoever has it, who can read the reason for a while; the history has it, too.
-- needs: leases
local lease = current(asked.key)
if not lease then
    return cmsgpack.pack({false, false})
end
local fence = tonumber(lease.fence)
note_event(cjson.encode({lease.key, lease.holder, fence, asked.now, 'forced', asked.reason}))
call('set', P .. 'lost:' .. lease.holder, asked.reason, 'ex', asked.remember)
return cmsgpack.pack({true, pass_on(asked.key)})
