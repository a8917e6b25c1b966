-- What is told to whom, and by when: the functions of service/notify, loaded behind functions.lua, whose names they use.
-- A notice lies in {s}:notices until it is settled. {s}:due says when it is to be sent, {s}:sending until when somebody has
-- it in hand. Notices of one episode to one channel stand in line: only the first of a line is due.

local LOG_KEPT = 90 * DAY  -- as long as the events that it tells of
local MOST_AT_ONCE = 256  -- notices of a shard that are put into their lines in one step

local function line_of(tag, notice)
  return tag .. ':line:' .. notice.episode .. ':' .. notice.channel
end

-- An entry is never older than its event's, also where the clock was set back in between: the auditor looks from there on.
local function log_try(tag, id, notice, at, outcome, detail, ms)
  local log, time = tag .. ':deliveries', redis.call('TIME')
  local now = 1000 * tonumber(time[1]) + math.floor(tonumber(time[2]) / 1000)
  redis.call('XTRIM', log, 'MINID', '~', now - 1000 * LOG_KEPT)
  local place, event = '*', string.match(notice.entry, '^%d+')
  if tonumber(event) > now then
    local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
    if not newest or tonumber(string.match(newest[1], '^%d+')) < tonumber(event) then place = event .. '-*' end
  end
  redis.call('XADD', log, place, 'notice', id, 'event', notice.event, 'type', notice.type,
    'episode', notice.episode, 'brand', notice.brand, 'channel', notice.channel, 'kind', notice.kind, 'why', notice.why,
    'try', notice.tries, 'at', at, 'outcome', outcome, 'detail', detail, 'ms', ms)
end

-- Takes a notice out; the next of its line is due at once.
local function settle(tag, id, line, at)
  redis.call('HDEL', tag .. ':notices', id)
  redis.call('ZREM', tag .. ':due', id)
  redis.call('ZREM', tag .. ':sending', id)
  local first = redis.call('LINDEX', line, 0)
  redis.call('LREM', line, 0, id)
  if first == id then
    local next = redis.call('LINDEX', line, 0)
    if next then redis.call('ZADD', tag .. ':due', at, next) end
  end
end

-- The first of a line that is of a later event, and that nobody has in hand.
local function later_in(tag, line, notice)
  for _, other in ipairs(redis.call('LRANGE', line, 0, -1)) do
    local text = redis.call('HGET', tag .. ':notices', other)
    local later = text and comes_after(cjson.decode(text).entry, notice.entry)
    if later and not redis.call('ZSCORE', tag .. ':sending', other) then return other end
  end
end

-- Puts a notice into its line, which has the order of the events: at its end, or, where it comes LATE, as after quiet
-- hours, before those of later events. News to people take the place of older news that still wait; a page makes the
-- first of the line due at once, if nobody has it in hand.
local function stand_in_line(tag, id, notice, at, late)
  local line = line_of(tag, notice)
  local behind = late and later_in(tag, line, notice)
  if not notice.system and not behind then
    for i, other in ipairs(redis.call('LRANGE', line, 1, -1)) do
      local text = redis.call('HGET', tag .. ':notices', other)
      local before = text and cjson.decode(text)
      if before and before.type == 'episode.updated' then
        settle(tag, other, line, at)
        log_try(tag, other, before, at, 'dropped', 'a later event took its place', 0)
      end
    end
  end
  if behind then
    redis.call('LINSERT', line, 'BEFORE', behind, id)
    redis.call('ZREM', tag .. ':due', behind)
  else
    redis.call('RPUSH', line, id)
  end
  live(line, EVENTS_KEPT)
  local first = redis.call('LINDEX', line, 0)
  if first == id then
    redis.call('ZADD', tag .. ':due', at, id)
  elseif notice.page and not notice.system then
    redis.call('ZADD', tag .. ':due', 'XX', 'LT', at, first)
  end
end

-- plan EVENTS_STREAM | ENTRY AT NOTICES REPAIR: acknowledges an event to the group `notify` and keeps what is to be told of
-- it (NOTICES, a JSON list of each one's JSON), in one step. Gives 1; 0 where that was done before; -1 where an earlier event of the stream is
-- not planned yet, which goes first. With REPAIR '1' notices that are lost are put in again, whoever acknowledged.
local function plan(keys, args)
  local tag, entry, at, texts, repair = tag_of(keys[1]), args[1], tonumber(args[2]), args[3], args[4] == '1'
  if not repair then
    if #redis.call('XPENDING', keys[1], 'notify', entry, entry, 1) == 0 then return 0 end
    if redis.call('XPENDING', keys[1], 'notify', '-', '+', 1)[1][1] ~= entry then return -1 end
    redis.call('XACK', keys[1], 'notify', entry)
    redis.call('HSET', tag .. ':planned', entry, texts)
  else
    redis.call('HSETNX', tag .. ':planned', entry, texts)
  end
  for _, text in ipairs(cjson.decode(texts)) do
    local notice = cjson.decode(text)
    local id = notice.id
    if repair then settle(tag, id, line_of(tag, notice), at) end
    if redis.call('HSETNX', tag .. ':notices', id, text) == 1 then
      if notice.due <= at then
        stand_in_line(tag, id, notice, at, repair)
      else
        redis.call('ZADD', tag .. ':due', notice.due, id)
      end
    end
  end
  return 1
end
redis.register_function{function_name = 'fs_plan', callback = plan, flags = {'allow-oom'}}

-- claim DUE | AT LEASE MOST: hands out at most MOST notices that are due, or whose holder's LEASE (seconds) is over: of each
-- the notice as JSON, and whether its channel knows of the episode.
local function claim(keys, args)
  local tag, at, found = tag_of(keys[1]), tonumber(args[1]), {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', tag .. ':sending', '-inf', at)) do
    redis.call('ZREM', tag .. ':sending', id)
    redis.call('ZADD', keys[1], at, id)
  end
  -- Quiet hours end for several at once: all of them stand in line before any is handed out.
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', keys[1], '-inf', at, 'LIMIT', 0, MOST_AT_ONCE)) do
    local text = redis.call('HGET', tag .. ':notices', id)
    local notice = text and cjson.decode(text)
    if notice and not redis.call('LPOS', line_of(tag, notice), id) then
      redis.call('ZREM', keys[1], id)
      stand_in_line(tag, id, notice, at, true)
    end
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', keys[1], '-inf', at, 'LIMIT', 0, args[3])) do
    redis.call('ZREM', keys[1], id)
    local text = redis.call('HGET', tag .. ':notices', id)
    if text then
      local notice = cjson.decode(text)
      if redis.call('LINDEX', line_of(tag, notice), 0) == id then
        redis.call('ZADD', tag .. ':sending', at + tonumber(args[2]), id)
        found[#found + 1] = text
        found[#found + 1] = redis.call('SISMEMBER', tag .. ':knows:' .. notice.episode, notice.channel)
      end
    end
  end
  return found
end
redis.register_function{function_name = 'fs_claim', callback = claim, flags = {'allow-oom'}}

-- tried DUE | NOTICE AT DUE_AT OUTCOME DETAIL MS KNOWS: notes what became of one try. NOTICE is its next state; it is due
-- again at DUE_AT, or, where that is '', settled. OUTCOME '' is no try and not logged. KNOWS '1': its channel knows of the
-- episode now, '0': no more. Gives 0 where it was settled before.
local function tried(keys, args)
  local tag, notice, at = tag_of(keys[1]), cjson.decode(args[1]), tonumber(args[2])
  local id = notice.id
  if redis.call('HEXISTS', tag .. ':notices', id) == 0 then return 0 end
  if args[4] ~= '' then log_try(tag, id, notice, args[2], args[4], args[5], args[6]) end
  local knows = tag .. ':knows:' .. notice.episode
  if args[7] == '1' then
    redis.call('SADD', knows, notice.channel)
    live(knows, EVENTS_KEPT)
  elseif args[7] == '0' then
    redis.call('SREM', knows, notice.channel)
  end
  if args[3] == '' then
    settle(tag, id, line_of(tag, notice), at)
  else
    redis.call('HSET', tag .. ':notices', id, args[1])
    redis.call('ZREM', tag .. ':sending', id)
    redis.call('ZADD', keys[1], args[3], id)
  end
  return 1
end
redis.register_function{function_name = 'fs_tried', callback = tried, flags = {'allow-oom'}}

-- held DUE | NOTICES: of each of a JSON list of notices' JSON, 1 where it is sure to be sent: due, in hand, or behind another.
local function held(keys, args)
  local tag, found = tag_of(keys[1]), {}
  for i, text in ipairs(cjson.decode(args[1])) do
    local notice = cjson.decode(text)
    local place = redis.call('LPOS', line_of(tag, notice), notice.id)
    local waits = redis.call('ZSCORE', keys[1], notice.id) or redis.call('ZSCORE', tag .. ':sending', notice.id)
    local kept = redis.call('HEXISTS', tag .. ':notices', notice.id) == 1
    found[i] = kept and (waits or (place or 0) > 0) and 1 or 0
  end
  return found
end
redis.register_function{function_name = 'fs_held', callback = held, flags = {'no-writes', 'allow-oom'}}
