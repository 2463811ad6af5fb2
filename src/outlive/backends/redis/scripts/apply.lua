-- Apply a batch of moves in their order; the answer has a 1 for each that took effect. Whoever asks again under the
-- same token gets the same answer, and nothing happens twice.
-- needs: indexes
-- needs: records
local done = P .. 'done:' .. asked.token
local before = call('get', done)
if before then
    return before
end

-- Attempts that a permit of this batch lets start, with their fence.
local permitted = {}

-- A file of `moves/` is run when the first of its verbs is needed: to make all of their functions takes time.
local verbs, files = {}, {}
-- {moves}

local function verb_of(move)
    local name = move[1]
    if not verbs[name] then
        files[name]()
    end
    return verbs[name]
end

-- Each move is a list: its verb, the id of the record, and what `wire.py` puts behind them.
local answers = {}
for place, move in ipairs(asked.moves) do
    answers[place] = verb_of(move)(move[2], move) and '1' or '0'
end
write_indexes()
local answer = table.concat(answers)
call('set', done, answer, 'ex', asked.remember)
-- Last: a server whose memory is full refuses a script as long as nothing has been deleted.
forget_heard()
return answer
