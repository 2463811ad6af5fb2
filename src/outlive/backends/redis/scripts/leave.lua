-- Forget instances that go; their records stay theirs until they are rescued.
for _, id in ipairs(asked.ids) do
    call('del', P .. 'instance:' .. id)
    call('srem', P .. 'instances', id)
end
return 1
