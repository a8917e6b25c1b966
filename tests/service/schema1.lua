#!lua name=foreshock

-- Each function here is one atomic step on one shard. KEYS[1] is a key of the shard; all others carry its hash tag.

local DAY = 86400
-- width of a bucket, buckets in a packed segment, seconds the segment is kept after its end
local RESOLUTIONS = {
  {60, 60, 8 * DAY},
  {300, 48, 35 * DAY},
  {3600, 48, 730 * DAY},
}
local LATE = 8 * DAY      -- how late a mention may arrive: as long its record is kept
local KEEP_AGE = 7 * DAY  -- how long texts are kept as evidence
local KEEP_MOST = 20000   -- how many texts of a brand are kept
local COPIES = 3          -- of one text without a repost mark that count in an hour; more are excluded
local EVENTS_KEPT = 90 * DAY  -- far beyond the last try of a delivery
local SEP = '\31'

local function tag_of(key)
  return string.match(key, '^({s%d+})')
end

local function live(key, seconds)
  redis.call('EXPIRE', key, math.max(math.ceil(seconds), 60))
end

-- What a batch adds is gathered by key and field, and written once at its end: mentions come in the same few minutes.
local function gathering(tag, now)
  return {tag = tag, now = now, add = {}, until_ = {}, dirty = {}}
end

-- Adds the fields of `add` (name -> number) to the buckets that hold instant t, at all three widths.
local function bump(batch, brand, source, t, add)
  for _, r in ipairs(RESOLUTIONS) do
    local bucket = math.floor(t / r[1])
    local number = math.floor(bucket / r[2])
    local key = batch.tag .. ':b:' .. brand .. ':' .. source .. ':' .. r[1] .. ':' .. number
    local sums = batch.add[key]
    if not sums then
      sums = {}
      batch.add[key] = sums
      batch.until_[key] = (number + 1) * r[1] * r[2] + r[3]
    end
    local offset = bucket - number * r[2]
    for field, value in pairs(add) do
      if value ~= 0 then sums[offset .. field] = (sums[offset .. field] or 0) + value end
    end
  end
  batch.dirty[brand .. SEP .. source .. SEP .. math.floor(t / 3600)] = true
end

-- Distinct authors a bucket; a deletion leaves them, so they are never taken back.
local function meet(batch, brand, source, t, author)
  if author == '' then return end
  for _, r in ipairs(RESOLUTIONS) do
    local bucket = math.floor(t / r[1])
    local number = math.floor(bucket / r[2])
    local set = batch.tag .. ':b:' .. brand .. ':' .. source .. ':a' .. r[1] .. ':' .. bucket
    if redis.call('PFADD', set, author) == 1 then
      local sums = batch.add[batch.tag .. ':b:' .. brand .. ':' .. source .. ':' .. r[1] .. ':' .. number]
      local field = (bucket - number * r[2]) .. 'a'
      sums[field] = (sums[field] or 0) + 1
    end
    batch.until_[set] = (bucket + 1) * r[1] + LATE
  end
end

local function write(batch)
  for key, sums in pairs(batch.add) do
    for field, value in pairs(sums) do
      if value ~= 0 then redis.call('HINCRBY', key, field, value) end
    end
  end
  for key, time in pairs(batch.until_) do live(key, time - batch.now) end
  for member in pairs(batch.dirty) do redis.call('SADD', batch.tag .. ':dirty', member) end
end

local function excluded(tag, brand, row, now)
  if row.spam == 1 then return 1 end
  if row.signature == '' then return 0 end
  local key = tag .. ':b:' .. brand .. ':s:' .. row.signature .. ':' .. math.floor(row.at / 3600)
  local copies = redis.call('INCR', key)
  live(key, row.at + LATE - now)
  if copies > COPIES then return 1 end
  return 0
end

local function contribution(row, out)
  local scored = row.scored * (1 - out)
  return {
    m = 1, x = out, s = scored, n = row.negative * scored,
    p = row.positive * scored, r = row.reach,
  }
end

local function negated(add)
  local less = {}
  for field, value in pairs(add) do less[field] = -value end
  return less
end

local function forget_old(tag, brand, recent, now)
  local over = redis.call('ZCARD', recent) - KEEP_MOST
  local old = redis.call('ZRANGE', recent, '-inf', now - KEEP_AGE, 'BYSCORE', 'LIMIT', 0, 100)
  if over > 0 then
    for _, member in ipairs(redis.call('ZRANGE', recent, 0, over - 1)) do old[#old + 1] = member end
  end
  for _, member in ipairs(old) do
    redis.call('ZREM', recent, member)
    redis.call('HDEL', tag .. ':r:' .. brand .. ':' .. member, 'text')
  end
end

local function first_and_last(tag, brand, source, at)
  local key = tag .. ':b:' .. brand .. ':since'
  local first = redis.call('HGET', key, source .. SEP .. 'first')
  if not first or tonumber(first) > at then redis.call('HSET', key, source .. SEP .. 'first', at) end
  local last = redis.call('HGET', key, source .. SEP .. 'last')
  if not last or tonumber(last) < at then redis.call('HSET', key, source .. SEP .. 'last', at) end
end

-- Counts one mention for one brand, once: a repetition changes nothing, an edit the difference, a deletion takes it out.
local function count_one(batch, row)
  local tag, now = batch.tag, batch.now
  local brand, source, member = row.brand, row.source, row.source .. SEP .. row.id
  local recent = tag .. ':b:' .. brand .. ':recent'
  local record = tag .. ':r:' .. brand .. ':' .. member
  local known = redis.call('HMGET', record, 'updated', 'at', 'add', 'out')
  if known[1] and tonumber(known[1]) >= row.updated then return 0 end
  if known[1] and not known[3] and row.deleted == 1 then return 0 end
  if known[1] and known[3] then
    bump(batch, brand, source, tonumber(known[2]), negated(cjson.decode(known[3])))
  end
  local totals = tag .. ':b:' .. brand .. ':totals'
  if row.deleted == 1 then
    redis.call('ZREM', recent, member)
    redis.call('HDEL', record, 'text', 'add')
    redis.call('HSET', record, 'updated', row.updated, 'at', row.at)
    if known[3] then redis.call('HINCRBY', totals, source .. SEP .. 'deleted', 1) end
  else
    local out = known[4] and tonumber(known[4]) or excluded(tag, brand, row, now)
    local add = contribution(row, out)
    bump(batch, brand, source, row.at, add)
    meet(batch, brand, source, row.at, row.author)
    redis.call('HSET', record, 'updated', row.updated, 'at', row.at, 'out', out,
      'add', cjson.encode(add), 'text', row.text)
    redis.call('ZADD', recent, row.at, member)
    if not known[1] then
      redis.call('HINCRBY', totals, source .. SEP .. row.sentiment, 1)
      first_and_last(tag, brand, source, row.at)
    end
    forget_old(tag, brand, recent, now)
  end
  live(record, row.at + LATE + 3600 - now)
  return 1
end

-- count INGEST_STREAM | GROUP ENTRY NOW ROWS: counts a batch, acknowledges it and drops it, in one step.
redis.register_function('fs_count', function(keys, args)
  local tag, counted = tag_of(keys[1]), 0
  if args[2] ~= '' and redis.call('XACK', keys[1], args[1], args[2]) == 0 then return -1 end
  local batch = gathering(tag, tonumber(args[3]))
  for _, row in ipairs(cjson.decode(args[4])) do counted = counted + count_one(batch, row) end
  write(batch)
  if args[2] ~= '' then redis.call('XDEL', keys[1], args[2]) end
  return counted
end)

-- put_count SHARD_KEY | BRAND SOURCE START SECONDS COUNT NOW: replaces the count of a bucket, spread over its minutes.
redis.register_function('fs_put_count', function(keys, args)
  local tag, brand, source = tag_of(keys[1]), args[1], args[2]
  local start, seconds, count, now = tonumber(args[3]), tonumber(args[4]), tonumber(args[5]), tonumber(args[6])
  local key = tag .. ':c:' .. brand .. ':' .. source .. ':' .. start .. ':' .. seconds
  local before = tonumber(redis.call('GET', key) or '-1')
  redis.call('SET', key, count)
  live(key, start + 35 * DAY - now)
  if before == count then return 0 end
  local minutes, difference = seconds / 60, count - math.max(before, 0)
  local given, batch = 0, gathering(tag, now)
  for i = 1, minutes do
    local upto = math.floor(math.max(before, 0) * i / minutes)
    local share = math.floor(count * i / minutes) - upto - given
    given = given + share
    local add = {v = share}
    if before < 0 then add.k = 1 end
    bump(batch, brand, source, start + (i - 1) * 60, add)
  end
  write(batch)
  first_and_last(tag, brand, source, start)
  return difference
end)

-- drain DIRTY_SET | FENCE: hands out what changed since the last call, to the newest ticker only.
redis.register_function('fs_drain', function(keys, args)
  local fence = tag_of(keys[1]) .. ':fence'
  if tonumber(redis.call('GET', fence) or '0') > tonumber(args[1]) then
    return redis.error_reply('FENCED a newer ticker has taken over')
  end
  redis.call('SET', fence, args[1])
  local members = redis.call('SMEMBERS', keys[1])
  redis.call('DEL', keys[1])
  return members
end)

-- episode EPISODES_HASH | FENCE BRAND KIND ID VERSION EPISODE OPENED ALARM EVENT: stores an episode's change, the
-- alarm's state that led to it and the event to be told, in one step. FENCE is '' where a person acts. VERSION is the
-- one that was read (0: new); another one stored meanwhile is a conflict. EVENT '' tells nothing.
redis.register_function('fs_episode', function(keys, args)
  local tag = tag_of(keys[1])
  local fence, brand, kind, id, version, episode, opened, alarm, event = unpack(args)
  if fence ~= '' and tonumber(redis.call('GET', tag .. ':fence') or '0') > tonumber(fence) then
    return redis.error_reply('FENCED a newer ticker has taken over')
  end
  local watch = tag .. ':b:' .. brand .. ':watch'
  if id ~= '' then
    local stored = redis.call('HGET', keys[1], id)
    local has = stored and cjson.decode(stored).version or 0
    if has ~= tonumber(version) then return redis.error_reply('CONFLICT the episode was changed meanwhile') end
    redis.call('HSET', keys[1], id, episode)
    redis.call('ZADD', tag .. ':episodes:opened', opened, id)
    if cjson.decode(episode).state ~= 'resolved' then
      redis.call('HSET', watch, kind .. SEP .. 'episode', id)
    elseif fence ~= '' then
      redis.call('HDEL', watch, kind .. SEP .. 'episode')  -- a person's word does not end the alarm itself
    end
  end
  if alarm ~= '' then redis.call('HSET', watch, kind .. SEP .. 'alarm', alarm) end
  if event ~= '' then
    local oldest = (tonumber(redis.call('TIME')[1]) - EVENTS_KEPT) * 1000
    redis.call('XTRIM', tag .. ':events', 'MINID', '~', oldest)
    return redis.call('XADD', tag .. ':events', '*', 'event', event)
  end
  return ''
end)

-- lease LEASE FENCE | HOLDER MILLISECONDS: takes or renews the lease; gives its fencing token, or 0 where another holds it.
redis.register_function('fs_lease', function(keys, args)
  local held = redis.call('GET', keys[1])
  local holder, token = nil, nil
  if held then holder, token = string.match(held, '^(.*)' .. SEP .. '(%d+)$') end
  if holder and holder ~= args[1] then return 0 end
  if not holder then token = redis.call('INCR', keys[2]) end
  redis.call('SET', keys[1], args[1] .. SEP .. token, 'PX', args[2])
  return tonumber(token)
end)
