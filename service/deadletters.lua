#!lua flags=allow-oom
-- STREAM INDEX TOTALS | MOST KEY KIND REASON BRAND NAME CONTENT: buries one letter, whose NAME (mention or entry) is
-- CONTENT, unless it lies there already, and lets the oldest beyond MOST go. Gives 1 where it is new.
local most, key, kind, reason, brand, name, content = unpack(ARGV)

local function fields_of(entry)
  local found = {}
  for i = 1, #entry[2], 2 do found[entry[2][i]] = entry[2][i + 1] end
  return found
end

for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], '[' .. key .. ':', '(' .. key .. ';')) do
  local id = string.sub(member, #key + 2)
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  local there = entry and fields_of(entry) or {}
  if there.brand == brand and there[name] == content then return 0 end
end

local id = redis.call('XADD', KEYS[1], '*', 'key', key, 'kind', kind, 'reason', reason, 'brand', brand, name, content)
redis.call('ZADD', KEYS[2], 0, key .. ':' .. id)
redis.call('HINCRBY', KEYS[3], kind, 1)
local over = redis.call('XLEN', KEYS[1]) - tonumber(most)
if over > 0 then
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', over)) do
    redis.call('XDEL', KEYS[1], entry[1])
    redis.call('ZREM', KEYS[2], fields_of(entry).key .. ':' .. entry[1])
    redis.call('HINCRBY', KEYS[3], 'trimmed', 1)
  end
end
return 1
