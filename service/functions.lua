#!lua name=foreshock

-- Each function here is one atomic step on one shard. KEYS[1] is a key of the shard; all others carry its hash tag.
-- docs/store.md says what the keys hold.

local DAY = 86400
-- width of a bucket, buckets in a packed segment, seconds the segment is kept after its end, and where the authors of
-- its buckets stand in the hash that holds those of AUTHORS_SPAN seconds at all widths
local RESOLUTIONS = {
  {60, 240, 8 * DAY, 0},
  {300, 288, 35 * DAY, 240},
  {3600, 504, 730 * DAY, 288},
}
local AUTHORS_SPAN = 4 * 3600
local LATE = 8 * DAY      -- how late a mention may arrive: as long its record is kept
local KEEP_AGE = 7 * DAY  -- how long texts are kept as evidence
local KEEP_MOST = 20000   -- how many texts of a brand are kept
local HOT = 2 * 3600      -- a minute this young is named by itself when it changes; of older ones their segment is
local TIDY = 900          -- in one minute of so many seconds what is too old is looked for: its text is gone by itself
-- How many copies of one text without a repost mark count in an hour, the earliest; of accounts that are doubtful fewer.
local COPIES, DOUBTFUL_COPIES = 3, 1
local BURST = 20          -- near copies by doubtful accounts in an hour from which none of them counts; else the earliest
local POSTS = 10          -- of one author that count in an hour, the earliest
local LOUD, ANGRY = 5000, 500  -- followers of an author, thousandths of P(negative): from both on it is a loud angry voice
local VOICES_AGE = 35 * DAY  -- how long those are kept: as long as a brand's usual is learned from
local VOICES_MOST = 5000     -- how many of a brand are kept
local EVENTS_KEPT = 90 * DAY  -- far beyond the last try of a delivery
local SEP = '\31'
local MINUTE_NAMED = '^([^\31]*)\31([^\31]*)\31(%d+)\31(%d+)$'

-- A bucket's counters in the order they are packed: mentions, excluded, scored, P(negative) and its variance in
-- thousandths, positive, reach, distinct authors, whether those are approximate; a source's own count, minutes it covers.
local M, X, S, N, W, P, R, A, H, C, K = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11

local EXACT = 64     -- distinct authors of a bucket that are known one by one; more are a HyperLogLog
local HASH = 6       -- bytes that an author is known by
local AUTHOR = 8     -- bytes of one: its hash, and 2 of how many mentions
local MANY = 'H'     -- stands where the authors became a HyperLogLog

local function floor(x) return x - x % 1 end

local function tag_of(key)
  return string.match(key, '^({s%d+})')
end

local function live(key, seconds)
  redis.call('EXPIRE', key, math.max(math.ceil(seconds), 60))
end

-- What a call changes is gathered by key and written once at its end: mentions come in the same few minutes.
local function gathering(tag, now)
  return {
    tag = tag, now = now, spots = {}, dirty = {}, brands = {}, copies = {}, texts = {}, passing = {}, records = {}, changed = {},
  }
end

-- What changes in the minute that holds instant t: the fields' differences, and the mentions that each author wrote
-- more or fewer (`met`). It is of the buckets of `least` seconds and wider ones.
local function spot(batch, brand, source, t, least)
  local minute = floor(t / 60)
  local name = brand .. SEP .. source .. SEP .. minute
  local found = batch.spots[name]
  if not found then
    found = {
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, at = t, least = least or 0,
      prefix = batch.tag .. ':b:' .. brand .. ':' .. source .. ':',
    }
    batch.spots[name] = found
    local number = floor(minute / RESOLUTIONS[1][2])
    local member = brand .. SEP .. source .. SEP .. number
    if t > batch.now - HOT then member = member .. SEP .. (minute - number * RESOLUTIONS[1][2]) end
    batch.dirty[member] = true
  end
  return found
end

-- Adds what a mention contributed (`what`, a record), or takes it out (sign -1).
local function bump(batch, brand, source, what, sign)
  local out, added = what[3], spot(batch, brand, source, what[2])
  added[M] = added[M] + sign
  added[X] = added[X] + sign * out
  if what[4] == 1 and out == 0 then
    added[S] = added[S] + sign
    added[N] = added[N] + sign * what[5]
    added[W] = added[W] + sign * what[6]
    added[P] = added[P] + sign * what[7]
  end
  added[R] = added[R] + sign * what[8]
  local met = added.met
  if not met then
    met = {}
    added.met = met
  end
  met[what[9]] = (met[what[9]] or 0) + sign
end

local function author_at(known, hash)
  local at = string.find(known, hash, 1, true)
  while at and at % AUTHOR ~= 1 do at = string.find(known, hash, at + 1, true) end
  return at
end

-- Brings a bucket's list of authors up to date; what it was and what it is are AUTHOR bytes each.
local function with_met(known, met)
  for author, difference in pairs(met) do
    local hash = struct.pack('>I6', author)
    local at = author_at(known, hash)
    local before = at and struct.unpack('>H', known, at + HASH) or 0
    local after = math.min(before + difference, 65535)
    local entry = after > 0 and hash .. struct.pack('>H', after) or ''
    if at then
      known = string.sub(known, 1, at - 1) .. entry .. string.sub(known, at + AUTHOR)
    else
      known = known .. entry
    end
  end
  return known
end

local function hashes(known, met)
  local found = {}
  for at = 1, #known - AUTHOR + 1, AUTHOR do found[#found + 1] = string.sub(known, at, at + HASH - 1) end
  for author, difference in pairs(met) do
    if difference > 0 then found[#found + 1] = struct.pack('>I6', author) end
  end
  return found
end

-- Counts the distinct authors of a bucket anew, `known` being their list so far; gives the list that is to be stored.
local function count_authors(batch, segment, bucket, values, known, met)
  if known == '' and values[A] > 0 then  -- their list is not kept any more
    for _, difference in pairs(met) do
      if difference > 0 then values[A] = values[A] + 1 end
    end
    values[H] = 1
    return known
  end
  local after = known ~= MANY and with_met(known, met) or known
  if after ~= MANY and #after <= EXACT * AUTHOR then
    values[A], values[H] = #after / AUTHOR, 0
    return after
  end
  local set = segment.prefix .. 'h' .. segment.width .. ':' .. bucket
  local new = hashes(known ~= MANY and known or '', met)
  if #new > 0 then redis.call('PFADD', set, unpack(new)) end
  live(set, segment.ends + LATE - batch.now)
  values[A], values[H] = redis.call('PFCOUNT', set), 1
  return MANY
end

-- The lists of authors of all buckets that change, by hash and slot.
local function read_authors(batch)
  local found = {}
  for _, added in pairs(batch.spots) do
    if added.met then
      local span = floor(added.at / AUTHORS_SPAN)
      local key = added.prefix .. 'a:' .. span
      local lists = found[key]
      if not lists then
        lists = {slots = {}, was = {}, known = {}, ends = (span + 1) * AUTHORS_SPAN}
        found[key] = lists
      end
      added.lists = lists
      for _, r in ipairs(RESOLUTIONS) do
        lists.slots[#lists.slots + 1] = r[4] + floor((added.at - span * AUTHORS_SPAN) / r[1])
      end
    end
  end
  for key, lists in pairs(found) do
    for i, known in ipairs(redis.call('HMGET', key, unpack(lists.slots))) do
      lists.new = lists.new or not known
      lists.was[lists.slots[i]], lists.known[lists.slots[i]] = known or '', known or ''
    end
  end
  return found
end

local function write_authors(batch, found)
  for key, lists in pairs(found) do
    local sets = {}
    for slot, known in pairs(lists.known) do
      if known ~= lists.was[slot] then sets[#sets + 1], sets[#sets + 2] = slot, known end
    end
    if #sets > 0 then redis.call('HSET', key, unpack(sets)) end
    if lists.new then live(key, lists.ends + LATE - batch.now) end
  end
end

local function read_bucket(packed)
  local values = packed and cmsgpack.unpack(packed) or {}
  for i = #values + 1, 11 do values[i] = 0 end
  return values
end

local function pack_bucket(values)
  for i = 11, 1, -1 do
    if values[i] ~= 0 then break end
    values[i] = nil
  end
  return cmsgpack.pack(values)
end

-- The buckets that the spots are in, by segment.
local function segments_of(batch)
  local found = {}
  for _, added in pairs(batch.spots) do
    for _, r in ipairs(RESOLUTIONS) do
      if r[1] >= added.least then
        local bucket = floor(added.at / r[1])
        local number = floor(bucket / r[2])
        local key = added.prefix .. r[1] .. ':' .. number
        local segment = found[key]
        if not segment then
          segment = {
            width = r[1], slots = r[4], first = number * r[2], prefix = added.prefix,
            ends = (number + 1) * r[1] * r[2], kept = r[3], offsets = {}, spots = {},
          }
          found[key] = segment
        end
        local n = #segment.offsets + 1
        segment.offsets[n], segment.spots[n] = bucket - segment.first, added
      end
    end
  end
  return found
end

local function write_segment(batch, key, segment)
  local found, sets, new = {}, {}, false
  for n, packed in ipairs(redis.call('HMGET', key, unpack(segment.offsets))) do
    local offset, added = segment.offsets[n], segment.spots[n]
    local values = found[offset]
    if not values then
      values = read_bucket(packed)
      found[offset] = values
      new = new or not packed
    end
    for f = 1, 11 do values[f] = values[f] + added[f] end
    if added.met then
      local known, within = added.lists.known, added.lists.ends - AUTHORS_SPAN
      local slot = segment.slots + floor((added.at - within) / segment.width)
      known[slot] = count_authors(batch, segment, segment.first + offset, values, known[slot], added.met)
    end
  end
  for offset, values in pairs(found) do sets[#sets + 1], sets[#sets + 2] = offset, pack_bucket(values) end
  redis.call('HSET', key, unpack(sets))
  if new then live(key, segment.ends + segment.kept - batch.now) end
end

local function of_brand(batch, brand)
  local found = batch.brands[brand]
  if not found then
    found = {totals = {}, since = {}, recent = {}, gone = {}, voices = {}}
    batch.brands[brand] = found
  end
  return found
end

-- Notes a mention (`what`, a record) as a loud angry voice of a brand, if it is one, or takes that back (sign -1).
local function hear(batch, brand, key, what, sign)
  if what[3] == 0 and what[4] == 1 and what[5] >= ANGRY and what[8] >= LOUD then
    of_brand(batch, brand).voices[what[8] .. SEP .. key] = sign > 0 and what[2]
  end
end

local function count_in(totals, field)
  totals[field] = (totals[field] or 0) + 1
end

local function heard(batch, brand, source, at)
  local since = of_brand(batch, brand).since
  local seen = since[source]
  if not seen then
    since[source] = {at, at}
  else
    if at < seen[1] then seen[1] = at end
    if at > seen[2] then seen[2] = at end
  end
end

local function write_since(key, since)
  for source, seen in pairs(since) do
    local first, last = source .. SEP .. 'first', source .. SEP .. 'last'
    local known = redis.call('HMGET', key, first, last)
    local sets = {}
    if not known[1] or tonumber(known[1]) > seen[1] then sets = {first, seen[1]} end
    if not known[2] or tonumber(known[2]) < seen[2] then sets[#sets + 1], sets[#sets + 2] = last, seen[2] end
    if #sets > 0 then redis.call('HSET', key, unpack(sets)) end
  end
end

-- The newest texts of a brand are kept; the rest go, by age and by number.
local function write_recent(batch, brand, found)
  local recent = batch.tag .. ':b:' .. brand .. ':recent'
  local adds = {}
  for key, at in pairs(found.recent) do adds[#adds + 1], adds[#adds + 2] = at, key end
  if #adds > 0 then redis.call('ZADD', recent, unpack(adds)) end
  local gone = {}
  for key in pairs(found.gone) do gone[#gone + 1] = key end
  if #gone > 0 then redis.call('ZREM', recent, unpack(gone)) end
  if #adds == 0 then return end
  live(recent, KEEP_AGE)
  if batch.now % TIDY < 60 then redis.call('ZREMRANGEBYSCORE', recent, '-inf', batch.now - KEEP_AGE) end
  local over = redis.call('ZCARD', recent) - KEEP_MOST
  while over > 0 do
    local some = redis.call('ZPOPMIN', recent, math.min(over, 1000))
    local texts = {}
    for i = 1, #some, 2 do texts[#texts + 1] = batch.tag .. ':t:' .. some[i] .. ':' .. brand end
    redis.call('DEL', unpack(texts))
    over = over - #texts
  end
end

-- The earliest mentions that share something in its hour are one string: their number, when the last of them was written
-- (seconds into the hour), and of each in that order the same, how many of its like count, SOURCE and KEY. Most come in the
-- order they were written: one is put behind, or is one too many, and nothing else is looked at.
local LAST = 3  -- bytes before the first of them

local function entry_of(at, limit, source, key)
  return struct.pack('>HBB', at, limit, #source) .. source .. struct.pack('>H', #key) .. key
end

-- A store of the first schema knew only how many copies of a text there were: as many without a name.
local function read_earliest(packed)
  local number = packed and tonumber(packed)
  if not number then return packed or '\0\0\0' end
  number = math.min(number, COPIES)
  return struct.pack('>BH', number, 0) .. string.rep(entry_of(0, COPIES, '', ''), number)
end

local function unpack_earliest(packed)
  local found, place = {}, LAST + 1
  while place <= #packed do
    local at, limit, size = struct.unpack('>HBB', packed, place)
    local source = string.sub(packed, place + 4, place + 3 + size)
    place = place + 4 + size
    size = struct.unpack('>H', packed, place)
    found[#found + 1] = {at, limit, source, string.sub(packed, place + 2, place + 1 + size)}
    place = place + 2 + size
  end
  return found
end

local function pack_earliest(found)
  local parts = {struct.pack('>BH', #found, #found > 0 and found[#found][1] or 0)}
  for i, other in ipairs(found) do parts[i + 1] = entry_of(other[1], other[2], other[3], other[4]) end
  return table.concat(parts)
end

-- What a mention shares with others that are not voices of their own: its text, its author, and, of a doubtful one, what
-- near copies share. Gives the names under which an hour knows them, false where it shares nothing.
local function shared(row)
  local near = row[19]
  return row[13] ~= 0 and row[13], row[18] == 1 and 'a' .. string.format('%.0f', row[14]), near and near ~= '' and near
end

-- The earliest mentions of all that some rows share, each in its hour.
local function read_copies(batch, rows)
  for _, row in ipairs(rows) do
    local text, author, near = shared(row)
    if text or author or near then
      local hour = floor(row[4] / 3600)
      local key = batch.tag .. ':g:' .. row[1] .. ':' .. hour
      local seen = batch.copies[key]
      if not seen then
        seen = {until_ = (hour + 1) * 3600 + LATE, earliest = {}, names = {}, more = {}, new = false}
        batch.copies[key] = seen
      end
      if text then seen.names[#seen.names + 1] = text end
      if author then seen.names[#seen.names + 1] = author end
      if near then
        for band in string.gmatch(near, '%S+') do seen.names[#seen.names + 1] = 'n' .. band end
      end
    end
  end
  for key, seen in pairs(batch.copies) do
    for i, packed in ipairs(redis.call('HMGET', key, unpack(seen.names))) do
      seen.new = seen.new or not packed
      seen.earliest[seen.names[i]] = read_earliest(packed)
    end
  end
end

-- Takes a mention out of what counts: one came that was written before it.
local function exclude(batch, brand, source, key)
  local records = batch.records
  if not records[key] then
    local packed = redis.call('GET', batch.tag .. ':r:' .. key)
    records[key] = packed and cmsgpack.unpack(packed) or {}
  end
  local record = records[key][brand]
  if not record or record[3] ~= 0 then return end
  bump(batch, brand, source, record, -1)
  hear(batch, brand, key, record, -1)
  record[3] = 1
  bump(batch, brand, source, record, 1)
  batch.changed[key] = record[2]
end

-- Takes a mention out of the earliest ones; gives what stood there, nil where it is none of them.
local function take_from(earliest, key)
  for place, other in ipairs(earliest) do
    if other[4] == key then return table.remove(earliest, place) end
  end
end

-- Puts a mention among the earliest ones, where it belongs; those that it pushes beyond their limit count no more. Another
-- version of it may be there: it stays where it is earliest. Says whether it is itself one too many.
local function put_among(batch, row, seen, name, limit, most, known)
  local brand, source, key, at = row[1], row[2], row[3], row[4] % 3600
  local earliest, rank = unpack_earliest(seen.earliest[name]), 1
  if known and earliest[1][4] == '' then return false end  -- of schema 1: it may be one of those without a name
  local other = take_from(earliest, key)
  if other then at, limit = math.min(at, other[1]), math.min(limit, other[2]) end
  while earliest[rank] and (earliest[rank][1] < at or (earliest[rank][1] == at and earliest[rank][4] < key)) do
    rank = rank + 1
  end
  if rank > most then return true end
  table.insert(earliest, rank, {at, limit, source, key})
  for after = rank + 1, #earliest do
    local pushed = earliest[after]
    if after == pushed[2] + 1 then exclude(batch, brand, pushed[3], pushed[4]) end
  end
  earliest[most + 1] = nil
  seen.earliest[name], seen.more[name] = pack_earliest(earliest), true
  return rank > limit
end

-- Whether a mention is one too many of those that share `name`, of which `limit` count if they are like it and `most` at
-- all. Which of them count is the same in whatever order they come. `known`: it may have come before.
local function too_many(batch, row, seen, name, limit, most, known)
  local packed, at = seen.earliest[name], row[4] % 3600
  local number, last = struct.unpack('>BH', packed)
  if number > 0 and (known or at <= last) then return put_among(batch, row, seen, name, limit, most, known) end
  if number >= most then return true end
  seen.earliest[name] = struct.pack('>BH', number + 1, at) .. string.sub(packed, LAST + 1)
    .. entry_of(at, limit, row[2], row[3])
  seen.more[name] = true
  return number + 1 > limit
end

-- Whether a doubtful author's mention is a near copy of an earlier one by such an author, or one of a burst, of which the
-- first does not count either.
local function too_near(batch, row, seen, near, known)
  local earliest, found = seen.earliest, false
  for band in string.gmatch(near, '%S+') do
    local name = 'n' .. band
    local before = string.byte(earliest[name])
    if too_many(batch, row, seen, name, 1, BURST, known) then found = true end
    if string.byte(earliest[name]) >= BURST then
      found = true
      local first = before < BURST and unpack_earliest(earliest[name])[1]
      if first then exclude(batch, row[1], first[3], first[4]) end
    end
  end
  return found
end

local function write_copies(batch)
  for key, seen in pairs(batch.copies) do
    local sets = {}
    for signature in pairs(seen.more) do
      sets[#sets + 1], sets[#sets + 2] = signature, seen.earliest[signature]
    end
    if #sets > 0 then redis.call('HSET', key, unpack(sets)) end
    if seen.new then live(key, seen.until_ - batch.now) end
  end
end

-- Loud angry voices are kept by age and by number; most calls bring none.
local function write_voices(batch, brand, voices)
  local key, adds, gone = batch.tag .. ':b:' .. brand .. ':voices', {}, {}
  for voice, at in pairs(voices) do
    if at then
      adds[#adds + 1], adds[#adds + 2] = at, voice
    else
      gone[#gone + 1] = voice
    end
  end
  if #gone > 0 then redis.call('ZREM', key, unpack(gone)) end
  if #adds == 0 then return end
  redis.call('ZADD', key, unpack(adds))
  redis.call('ZREMRANGEBYSCORE', key, '-inf', batch.now - VOICES_AGE)
  redis.call('ZREMRANGEBYRANK', key, 0, -VOICES_MOST - 1)
  live(key, VOICES_AGE)
end

local function write(batch)
  local authors = read_authors(batch)
  for key, segment in pairs(segments_of(batch)) do write_segment(batch, key, segment) end
  write_authors(batch, authors)
  write_copies(batch)
  for brand, found in pairs(batch.brands) do
    local prefix = batch.tag .. ':b:' .. brand
    for field, value in pairs(found.totals) do redis.call('HINCRBY', prefix .. ':totals', field, value) end
    write_since(prefix .. ':since', found.since)
    write_recent(batch, brand, found)
    if next(found.voices) then
      write_voices(batch, brand, found.voices)
      batch.dirty[brand .. SEP .. SEP .. 'voices'] = true
    end
  end
  local dirty = {}
  for member in pairs(batch.dirty) do dirty[#dirty + 1] = member end
  if #dirty > 0 then redis.call('SADD', batch.tag .. ':dirty', unpack(dirty)) end
end

local function excluded(batch, row, known)
  if row[12] == 1 then return 1 end
  local text, author, near = shared(row)
  if not (text or author or near) then return 0 end
  local seen = batch.copies[batch.tag .. ':g:' .. row[1] .. ':' .. floor(row[4] / 3600)]
  local copied = text and too_many(batch, row, seen, text, row[17] == 1 and DOUBTFUL_COPIES or COPIES, COPIES, known)
  local often = author and too_many(batch, row, seen, author, POSTS, POSTS, known)
  local alike = near and too_near(batch, row, seen, near, known)
  return (copied or often or alike) and 1 or 0
end

local function unlabel(tag, key, brand)
  redis.call('HDEL', tag .. ':b:' .. brand .. ':labels', key)
  redis.call('ZREM', tag .. ':labelled', key .. ':' .. brand)
end

-- Drops every label of a mention that is deleted, however old: a label holds the text.
local function unlabel_all(tag, key)
  for _, member in ipairs(redis.call('ZRANGEBYLEX', tag .. ':labelled', '[' .. key .. ':', '(' .. key .. ';')) do
    unlabel(tag, key, string.sub(member, #key + 2))
  end
end

-- Asks for a deleted mention to be taken out of the episodes that quote it: service/quoted.py does, which reads JSON.
local function unquote(tag, key)
  for _, member in ipairs(redis.call('ZRANGEBYLEX', tag .. ':quoted', '[' .. key .. ':', '(' .. key .. ';')) do
    redis.call('HINCRBY', tag .. ':taken', member, 1)
  end
end

-- Notes which mentions (KEYs between spaces) an episode quotes, and asks for those to go that were taken out meanwhile.
local function quote(tag, brand, id, quoted)
  for key in string.gmatch(quoted, '%S+') do
    redis.call('ZADD', tag .. ':quoted', 0, key .. ':' .. id)
    local packed = redis.call('GET', tag .. ':r:' .. key)
    local record = packed and cmsgpack.unpack(packed)[brand]
    if record and not record[3] then redis.call('HINCRBY', tag .. ':taken', key .. ':' .. id, 1) end
  end
end

-- Drops a mention's label where an edit changed the text that was labelled.
local function unlabel_edited(tag, key, brand, text)
  local label = redis.call('HGET', tag .. ':b:' .. brand .. ':labels', key)
  if label and cjson.decode(label).text ~= cjson.decode(text).text then unlabel(tag, key, brand) end
end

-- Takes a mention out of a brand that counted it; gives what stays of its record.
local function take_out(batch, brand, source, key, known, updated)
  local mine = of_brand(batch, brand)
  bump(batch, brand, source, known, -1)
  hear(batch, brand, key, known, -1)
  count_in(mine.totals, source .. SEP .. 'deleted')
  mine.gone[key], mine.recent[key] = true, nil
  batch.texts[key .. ':' .. brand] = false
  unlabel(batch.tag, key, brand)
  return {updated, known[2]}
end

-- Counts one mention for one brand, once: a repetition changes nothing, an edit the difference, a deletion takes it out.
-- `known` is its record so far: {updated, at, out, scored, negative, spread, positive, reach, author}, the first two
-- once it was taken out. Gives the new record, or nil where nothing changes.
local function count_one(batch, row, known)
  local brand, source, key, at, updated, deleted, scored, negative, spread, positive, sentiment, _, _, author, reach,
    text = unpack(row)
  local counted = known and known[3]
  if known and known[1] >= updated then
    -- An older version has its place among the copies all the same, as it would have had in time.
    if deleted == 0 and known[1] > updated and excluded(batch, row, true) == 1 then
      exclude(batch, brand, source, key)
    end
    return nil
  end
  if deleted == 1 then
    if counted then return take_out(batch, brand, source, key, known, updated) end
    return not known and {updated, at} or nil
  end
  local mine, out = of_brand(batch, brand), excluded(batch, row, known)
  if counted then
    if known[3] == 1 then out = 1 end  -- one version too many is enough
    bump(batch, brand, source, known, -1)
    hear(batch, brand, key, known, -1)
    unlabel_edited(batch.tag, key, brand, text)
  end
  local record = {updated, at, out, scored, negative, spread, positive, reach, author}
  bump(batch, brand, source, record, 1)
  hear(batch, brand, key, record, 1)
  mine.recent[key], mine.gone[key] = at, nil
  batch.texts[key .. ':' .. brand] = {text, at}
  heard(batch, brand, source, at)
  if not known then count_in(mine.totals, source .. SEP .. sentiment) end
  return record
end

-- An edit or a deletion takes a mention out of all brands of the shard that it is not of (any more). Where the mention
-- itself may still wait in the stream (`waits`) that is remembered under the brand '', else only for the rest of the
-- batch (`passing`). Says whether anything changed.
local function count_elsewhere(batch, row, known, waits)
  local _, source, key, at, updated = unpack(row)
  local stays, changed = {}, false
  for _, brand in ipairs(cjson.decode(row[16])) do stays[brand] = true end
  for brand, record in pairs(known) do
    if brand ~= '' and not stays[brand] and record[3] and record[1] < updated then
      known[brand] = take_out(batch, brand, source, key, record, updated)
      changed = true
    end
  end
  if not known[''] or known[''][1] < updated then
    known[''] = {updated, at, row[16]}
    if waits then changed = true else batch.passing[key] = true end
  end
  return changed
end

local function was_taken_out(known, brand, updated)
  local other = known['']
  if not other or other[1] <= updated then return false end
  for _, stays in ipairs(cjson.decode(other[3])) do
    if stays == brand then return false end
  end
  return true
end

local function read_records(batch, rows)
  local names, records = {}, batch.records
  for i, row in ipairs(rows) do names[i] = batch.tag .. ':r:' .. row[3] end
  if #names == 0 then return end
  for i, packed in ipairs(redis.call('MGET', unpack(names))) do
    local key = rows[i][3]
    if not records[key] then records[key] = packed and cmsgpack.unpack(packed) or {} end
  end
end

local function write_texts(batch)
  for name, kept in pairs(batch.texts) do
    if kept and kept[2] + KEEP_AGE > batch.now then
      redis.call('SET', batch.tag .. ':t:' .. name, kept[1], 'EX', kept[2] + KEEP_AGE - batch.now)
    else
      redis.call('DEL', batch.tag .. ':t:' .. name)
    end
  end
end

-- count INGEST_STREAM | GROUP ENTRY NOW ROWS: counts a batch, acknowledges it and drops it, in one step. ROWS is a
-- msgpack array of rows as service/row.py has them. Gives how many changed something, -1 where ENTRY was counted before.
local function count(keys, args)
  local entry = args[2]
  if entry ~= '' and redis.call('XACK', keys[1], args[1], entry) == 0 then return -1 end
  local batch, rows = gathering(tag_of(keys[1]), tonumber(args[3])), cmsgpack.unpack(args[4])
  local records, changed, counted = batch.records, batch.changed, 0
  read_records(batch, rows)
  read_copies(batch, rows)
  for _, row in ipairs(rows) do
    local brand, key = row[1], row[3]
    local known, done = records[key], false
    if row[6] == 1 then
      unlabel_all(batch.tag, key)
      unquote(batch.tag, key)
    end
    if brand == '' then
      local first = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', 1)[1]
      done = count_elsewhere(batch, row, known, first and first[1] ~= entry)
    elseif was_taken_out(known, brand, row[5]) then
      known[brand] = known[brand] or {known[''][1], row[4]}
      changed[key] = row[4]
      if row[6] == 0 then excluded(batch, row, true) end
    else
      local record = count_one(batch, row, known[brand])
      if record then known[brand], done = record, true end
    end
    if done then
      counted = counted + 1
      changed[key] = row[4]
    end
  end
  for key in pairs(batch.passing) do records[key][''] = nil end
  for key, at in pairs(changed) do
    redis.call('SET', batch.tag .. ':r:' .. key, cmsgpack.pack(records[key]), 'EX', math.max(at + LATE + 3600 - batch.now, 3600))
  end
  write_texts(batch)
  write(batch)
  if entry ~= '' then redis.call('XDEL', keys[1], entry) end
  return counted
end
redis.register_function{function_name = 'fs_count', callback = count, flags = {'allow-oom'}}

-- The count so far of each bucket of `width` from `start`, and for how many minutes it is known.
local function counts_so_far(tag, brand, source, r, start, n)
  local found, wanted = {}, {}
  local first = floor(start / r[1])
  for bucket = first, first + n - 1 do
    local number = floor(bucket / r[2])
    wanted[number] = wanted[number] or {}
    table.insert(wanted[number], bucket - number * r[2])
  end
  for number, offsets in pairs(wanted) do
    local key = tag .. ':b:' .. brand .. ':' .. source .. ':' .. r[1] .. ':' .. number
    for i, packed in ipairs(redis.call('HMGET', key, unpack(offsets))) do
      found[number * r[2] + offsets[i] - first + 1] = read_bucket(packed)
    end
  end
  return found
end

-- put_count SHARD_KEY | BRAND SOURCE START SECONDS COUNT NOW: replaces the count of a span, spread over its minutes,
-- or over its five-minutes where it is older than minutes are kept. Gives the difference to what was known before.
local function put_count(keys, args)
  local tag, brand, source = tag_of(keys[1]), args[1], args[2]
  local start, seconds, total, now = tonumber(args[3]), tonumber(args[4]), tonumber(args[5]), tonumber(args[6])
  local r = start >= now - LATE and RESOLUTIONS[1] or RESOLUTIONS[2]
  local n, minutes = seconds / r[1], r[1] / 60
  local batch, difference = gathering(tag, now), 0
  for i, values in ipairs(counts_so_far(tag, brand, source, r, start, n)) do
    local more = floor(total * i / n) - floor(total * (i - 1) / n) - values[C]
    if more ~= 0 or values[K] ~= minutes then
      local added = spot(batch, brand, source, start + (i - 1) * r[1], r[1])
      added[C] = added[C] + more
      added[K] = added[K] + minutes - values[K]
      difference = difference + more
    end
  end
  heard(batch, brand, source, start)
  write(batch)
  return difference
end
redis.register_function{function_name = 'fs_put_count', callback = put_count, flags = {'allow-oom'}}

-- changed DIRTY_SET | FENCE: hands out what changed since the last call, to the newest ticker only: each member, and the
-- minute's counters where it names one.
local function changed(keys, args)
  local fence = tag_of(keys[1]) .. ':fence'
  if tonumber(redis.call('GET', fence) or '0') > tonumber(args[1]) then
    return redis.error_reply('FENCED a newer ticker has taken over')
  end
  redis.call('SET', fence, args[1])
  local members = redis.call('SMEMBERS', keys[1])
  redis.call('DEL', keys[1])
  local prefix, found = tag_of(keys[1]) .. ':b:', {}
  for i, member in ipairs(members) do
    local brand, source, number, offset = string.match(member, MINUTE_NAMED)
    found[2 * i - 1] = member
    found[2 * i] = offset and redis.call('HGET', prefix .. brand .. ':' .. source .. ':60:' .. number, offset) or ''
  end
  return found
end
redis.register_function{function_name = 'fs_changed', callback = changed, flags = {'allow-oom'}}

-- episode EPISODES_HASH | FENCE BRAND KIND ID VERSION EPISODE OPENED ALARM EVENT QUOTED: stores an episode's change, the
-- alarm's state that led to it and the event to be told, in one step. FENCE is '' where a person acts. VERSION is the
-- one that was read (0: new); another one stored meanwhile is a conflict, and so is a second open one of a KIND. EVENT
-- '' tells nothing. QUOTED are the mentions that the episode quotes.
local function episode(keys, args)
  local tag = tag_of(keys[1])
  local fence, brand, kind, id, version, episode, opened, alarm, event, quoted = unpack(args)
  if fence ~= '' and tonumber(redis.call('GET', tag .. ':fence') or '0') > tonumber(fence) then
    return redis.error_reply('FENCED a newer ticker has taken over')
  end
  local watch = tag .. ':b:' .. brand .. ':watch'
  if id ~= '' then
    local stored = redis.call('HGET', keys[1], id)
    local has = stored and cjson.decode(stored).version or 0
    if has ~= tonumber(version) then return redis.error_reply('CONFLICT the episode was changed meanwhile') end
    local on = cjson.decode(episode).state ~= 'resolved'
    local open = on and redis.call('HGET', watch, kind .. SEP .. 'episode')
    local other = open and open ~= id and redis.call('HGET', keys[1], open)
    if other and cjson.decode(other).state ~= 'resolved' then
      return redis.error_reply('CONFLICT another episode of the brand is open')
    end
    redis.call('HSET', keys[1], id, episode)
    redis.call('ZADD', tag .. ':episodes:opened', opened, id)
    quote(tag, brand, id, quoted)
    if on and kind ~= 'drill' then  -- the ticker knows nothing of drills
      redis.call('HSET', watch, kind .. SEP .. 'episode', id)
    elseif not on and fence ~= '' then
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
end
redis.register_function{function_name = 'fs_episode', callback = episode, flags = {'allow-oom'}}

-- freeze FROZEN | BRAND ID CONTENT QUOTED SECONDS WAS: keeps what belongs to an episode for so long, and notes which
-- mentions it quotes. WAS is the SHA-1 of what it replaces, '' where that is all the same. Gives 0 where it was another.
local function freeze(keys, args)
  local brand, id, content, quoted, seconds, was = unpack(args)
  if was ~= '' and redis.sha1hex(redis.call('GET', keys[1]) or '') ~= was then return 0 end
  redis.call('SET', keys[1], content, 'EX', seconds)
  quote(tag_of(keys[1]), brand, id, quoted)
  return 1
end
redis.register_function{function_name = 'fs_freeze', callback = freeze, flags = {'allow-oom'}}

local function comes_after(one, other)
  local ms, number = string.match(one, '^(%d+)%-(%d+)$')
  local other_ms, other_number = string.match(other, '^(%d+)%-(%d+)$')
  if ms ~= other_ms then return tonumber(ms) > tonumber(other_ms) end
  return tonumber(number) > tonumber(other_number)
end

-- reword EVENTS_STREAM | GROUP ENTRY CHANGED TEXT ENTRY CHANGED TEXT ...: takes events out of the log whose text is CHANGED
-- ('1'). Those that GROUP has not settled are put in again at its end, in this order, as TEXT: none is lost, and none is
-- told twice. Gives how many were taken out.
local function reword(keys, args)
  local group, last, gone = args[1], '0-0', 0
  for _, found in ipairs(redis.call('XINFO', 'GROUPS', keys[1])) do
    local of = {}
    for i = 1, #found, 2 do of[found[i]] = found[i + 1] end
    if of['name'] == group then last = of['last-delivered-id'] end
  end
  for i = 2, #args, 3 do
    local entry, changed, text = args[i], args[i + 1] == '1', args[i + 2]
    local pending = #redis.call('XPENDING', keys[1], group, entry, entry, 1) > 0
    local waits = pending or comes_after(entry, last)
    if (changed or waits) and redis.call('XDEL', keys[1], entry) == 1 then
      if pending then redis.call('XACK', keys[1], group, entry) end
      if waits then redis.call('XADD', keys[1], '*', 'event', text) end
      if changed then gone = gone + 1 end
    end
  end
  return gone
end
redis.register_function{function_name = 'fs_reword', callback = reword, flags = {'allow-oom'}}

-- taken QUOTED | MEMBER TIMES: forgets a quotation that was taken out, unless that was asked for again since (TIMES).
local function taken(keys, args)
  local asked = tag_of(keys[1]) .. ':taken'
  if redis.call('HGET', asked, args[1]) ~= args[2] then return 0 end
  redis.call('HDEL', asked, args[1])
  return redis.call('ZREM', keys[1], args[1])
end
redis.register_function{function_name = 'fs_taken', callback = taken, flags = {'allow-oom'}}

-- label LABELS_HASH | BRAND KEY LABEL MOST: keeps what a person said of a kept mention, or, where LABEL is '', takes that
-- back. Gives how many labels the brand has; -1 where the mention is not kept, -2 where there are MOST already.
local function label(keys, args)
  local tag, brand, key, said, most = tag_of(keys[1]), unpack(args)
  if redis.call('EXISTS', tag .. ':t:' .. key .. ':' .. brand) == 0 then return -1 end
  if said == '' then
    unlabel(tag, key, brand)
  elseif redis.call('HLEN', keys[1]) >= tonumber(most) and redis.call('HEXISTS', keys[1], key) == 0 then
    return -2
  else
    redis.call('HSET', keys[1], key, said)
    redis.call('ZADD', tag .. ':labelled', 0, key .. ':' .. brand)
  end
  return redis.call('HLEN', keys[1])
end
redis.register_function{function_name = 'fs_label', callback = label, flags = {'allow-oom'}}

-- lease LEASE | HOLDER MILLISECONDS: takes or renews the lease; gives its fencing token, or 0 where another holds it. The
-- token rises with every new holder; it follows the server's time, so that a failover that lost the last write gives
-- none a second time.
local function lease(keys, args)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + floor(time[2] / 1000)
  local held = redis.call('HMGET', keys[1], 'holder', 'until', 'token')
  local taken = held[1] and tonumber(held[2]) > now
  if taken and held[1] ~= args[1] then return 0 end
  local token = tonumber(held[3] or 0)
  if not taken then token = math.max(token + 1, now) end
  redis.call('HSET', keys[1], 'holder', args[1], 'until', now + tonumber(args[2]), 'token', token)
  return token
end
redis.register_function{function_name = 'fs_lease', callback = lease, flags = {'allow-oom'}}

local LEDGER_KEPT = 400 * DAY  -- a year's bills

local function add_to_ledger(ledger, args, first, step, amount)
  for i = first, #args, step do redis.call('HINCRBY', ledger, args[i], string.format('%d', amount)) end
end

-- reserve LEDGER | ID ATTEMPT AMOUNT NOW NAME CAP NAME CAP ...: charges AMOUNT (millionths of a dollar) to every NAME, or, where
-- that would exceed one's CAP ('': none), to none; gives that NAME, '' where it was charged. What an earlier attempt of ID
-- left unsettled stays charged: it may have been spent.
local function reserve(keys, args)
  local ledger, held, attempt = keys[1], 'held ' .. args[1], args[2]
  local amount, known = tonumber(args[3]), redis.call('HGET', keys[1], held)
  if known and string.match(known, '^(%S+)') == attempt then return '' end
  for i = 5, #args, 2 do
    local cap = tonumber(args[i + 1])
    if cap and tonumber(redis.call('HGET', ledger, args[i]) or '0') + amount > cap then return args[i] end
  end
  add_to_ledger(ledger, args, 5, 2, amount)
  for i = 5, #args, 2 do redis.call('HSETNX', ledger, 'since ' .. args[i], args[4]) end
  redis.call('HSET', ledger, held, attempt .. ' ' .. string.format('%d', amount))
  live(ledger, LEDGER_KEPT)
  return ''
end
redis.register_function{function_name = 'fs_reserve', callback = reserve, flags = {'allow-oom'}}

-- settle LEDGER | ID ATTEMPT COST NAME ...: replaces what was reserved by what it cost, once; gives whether it did.
local function settle(keys, args)
  local held = 'held ' .. args[1]
  local known = redis.call('HGET', keys[1], held)
  local attempt, amount = string.match(known or '', '^(%S+) (%d+)$')
  if attempt ~= args[2] then return 0 end
  redis.call('HDEL', keys[1], held)
  add_to_ledger(keys[1], args, 4, 1, tonumber(args[3]) - tonumber(amount))
  return 1
end
redis.register_function{function_name = 'fs_settle', callback = settle, flags = {'allow-oom'}}
