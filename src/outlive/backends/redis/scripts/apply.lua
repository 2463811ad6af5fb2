-- Apply a batch of moves in their order; the answer has a 1 for each that took effect. Whoever asks again under the
-- same token gets the same answer, and nothing happens twice.
-- needs: indexes
-- needs: records
local done = P .. 'done:' .. asked.token
local before = call('get', done)
if before then
    return before
end

local verbs = {}

-- Each move is a list: its verb, the id of the record, and what `wire.py` puts behind them.
-- {moves}

local answers = {}
for place, move in ipairs(asked.moves) do
    answers[place] = verbs[move[1]](move[2], move) and '1' or '0'
end
write_indexes()
local answer = table.concat(answers)
call('set', done, answer, 'ex', asked.remember)
-- Last: a server whose memory is full refuses a script as long as nothing has been deleted.
forget_heard()
return answer
