//! What is to happen in Redis at once.

use redis::Script;

/// Renews the lease of a member, and says how things are: `{members, number of the last purge, number that all members
/// have, epoch}`.
///
/// Keys: members, applied, number, epoch. Arguments: member, lease in milliseconds, number applied and the epoch that it is of,
/// an epoch if there is none.
pub(super) fn renew() -> Script {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('HDEL', KEYS[2], gone)
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('SET', KEYS[4], ARGV[5], 'NX')
local epoch = redis.call('GET', KEYS[4])
local floor = epoch == ARGV[4] and tonumber(ARGV[3]) or 0
redis.call('HSET', KEYS[2], ARGV[1], floor)
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
for _, member in ipairs(members) do
  floor = math.min(floor, tonumber(redis.call('HGET', KEYS[2], member) or '0'))
end
return {#members, tonumber(redis.call('GET', KEYS[3]) or '0'), floor, epoch}
",
    )
}

/// Appends a purge; its number.
///
/// Keys: number, purges. Arguments: how many purges are kept about, then fields and values.
pub(super) fn publish() -> Script {
    Script::new(
        r"
local number = redis.call('INCR', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], number .. '-0', unpack(ARGV, 2))
return number
",
    )
}

/// Advances keys of rates and bandwidths by what was let in; how far each is ahead of its rate now, in whole microseconds.
///
/// Keys: theirs. Arguments, for each in its turn and in microseconds: what was let in, as the time that it takes (below zero: given
/// back); how far ahead it is without that, if nobody knew; how far it may be at most.
pub(super) fn advance() -> Script {
    Script::new(
        r"
local time = redis.call('TIME')
local now = (time[1] - 1767225600) * 1000000 + time[2]
local heard = {}
for i, key in ipairs(KEYS) do
  local cost, ahead, most = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local tat = tonumber(redis.call('GET', key) or '') or now + ahead
  ahead = math.max(math.min(math.max(tat - now, 0) + cost, most), 0)
  redis.call('SET', key, string.format('%.3f', now + ahead), 'PX', math.ceil(ahead / 1000) + 1)
  heard[i] = math.floor(ahead)
end
return heard
",
    )
}

/// Tells how many exchanges of keys a member has; how many of each others have, who are members and told it lately.
///
/// Keys: members, then keys of limits. Arguments: the member, for how many milliseconds its word is good, then for each key how many
/// it has.
pub(super) fn hold() -> Script {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local gone = {}
local function is_gone(member)
  if gone[member] == nil then
    local lease = redis.call('ZSCORE', KEYS[1], member)
    gone[member] = not lease or tonumber(lease) < now
  end
  return gone[member]
end
local heard = {}
for i = 2, #KEYS do
  if ARGV[i + 1] == '0' then
    redis.call('HDEL', KEYS[i], ARGV[1])
  else
    redis.call('HSET', KEYS[i], ARGV[1], ARGV[i + 1] .. ' ' .. now + ARGV[2])
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  end
  local others, all = 0, redis.call('HGETALL', KEYS[i])
  for j = 1, #all, 2 do
    if all[j] ~= ARGV[1] then
      local count, good = string.match(all[j + 1], '^(%d+) (%d+)')
      if not good or tonumber(good) < now or is_gone(all[j]) then
        redis.call('HDEL', KEYS[i], all[j])
      else
        others = others + count
      end
    end
  end
  heard[i - 1] = math.min(others, 4294967295)
end
return heard
",
    )
}

/// Tells words on leases, and gives those that followed: `{microseconds of Redis' clock, [id, fields]…}`.
///
/// Keys: words, leases. Arguments: the id of the last word that was heard, how many words are kept about, how many are given, then
/// fields of `leases` with words, of which the one that was said later is kept: members that come back at the same moment tell what
/// they knew, and who begins after them hears that alone.
pub(super) fn leases() -> Script {
    Script::new(
        r"
local function said(word)
  local is_one, it = pcall(cjson.decode, word)
  return is_one and type(it) == 'table' and tonumber(it.said_us) or 0
end
for i = 4, #ARGV, 2 do
  local known = redis.call('HGET', KEYS[2], ARGV[i])
  if not known or said(known) <= said(ARGV[i + 1]) then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'word', ARGV[i + 1])
end
local time = redis.call('TIME')
return {time[1] * 1000000 + time[2], redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[3])}
",
    )
}

/// Some of all words on leases: takes those out that are over, and gives the others if they are wanted: `{where to go on ("0": that
/// was the end), [words]…}`.
///
/// Keys: leases. Arguments: where to go on, how many are looked at, whether they are wanted (`1`), in microseconds for how long
/// one that was given back is known, and for how long words are kept that are over.
pub(super) fn known_leases() -> Script {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function ends(word)
  local is_one, it = pcall(cjson.decode, word)
  if not is_one or type(it) ~= 'table' then
    return 0
  end
  local lasts = type(it.granted) == 'table' and it.granted.ttl_us or ARGV[4]
  return (tonumber(it.said_us) or 0) + (tonumber(lasts) or 0)
end
local page, words = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2]), {}
for i = 1, #page[2], 2 do
  local over = ends(page[2][i + 1])
  if over + ARGV[5] < now then
    redis.call('HDEL', KEYS[1], page[2][i])
  elseif ARGV[3] == '1' and over >= now then
    words[#words + 1] = page[2][i + 1]
  end
end
return {page[1], words}
",
    )
}

/// Says what a member has to say of a waiting room, and what it hears: `{microseconds of Redis' clock, number of the last call,
/// places inside that it may take, microseconds that all are ahead of the rate, which Redis it is (empty: not the one that the member told of
/// itself, and nothing was done), [claimant, places and until when]…, [id, fields]…}`.
///
/// Keys: words, state, claims, issuers, secrets, of which none is kept once nobody said anything for long. Arguments: member, the id of the last word that it heard, how many words are kept about, how many
/// are given; visitors inside that are counted (empty: any number), whose places they are, how many it keeps and would have,
/// for how many milliseconds; microseconds that its visitors took at the rate (empty: there is none), how far it is ahead
/// if it speaks for the first time (else empty), and how far anybody may be; the last call that it heard of (empty: it calls nobody) and its own; for how many
/// milliseconds all of it is kept; which Redis it told of itself (empty: none yet), how many claims of others it brings, and those,
/// of which such are taken over that are not known; then words.
pub(super) fn room() -> Script {
    Script::new(
        r"
local time = redis.call('TIME')
local now = (time[1] - 1767225600) * 1000000 + time[2]
local function tell(word)
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'by', ARGV[1], 'word', word)
end
local began = redis.call('HGET', KEYS[2], 'began')
if ARGV[16] ~= '' and ARGV[16] ~= began then
  return {0, 0, 0, 0, '', {}, {}}
end
if not began then
  began = string.format('%s.%s-%s', time[1], time[2], ARGV[1])
  redis.call('HSET', KEYS[2], 'began', began)
end
local brought = 17 + 2 * ARGV[17]
for i = brought + 1, #ARGV do
  tell(ARGV[i])
end
local calls = redis.call('HGET', KEYS[2], 'calls') or '0'
if not string.match(calls, '^%d+$') then
  calls = '0'
  redis.call('HSET', KEYS[2], 'calls', calls)
end
if ARGV[13] == calls then
  calls = tostring(redis.call('HINCRBY', KEYS[2], 'calls', 1))
  tell(ARGV[14])
end
local claim, claims = 0, {}
if ARGV[5] ~= '' then
  for i = 18, brought, 2 do
    redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1])
  end
  local ms, others, known = math.floor(now / 1000), 0, redis.call('HGETALL', KEYS[3])
  for i = 1, #known, 2 do
    local count, ends = string.match(known[i + 1], '^(%d+) (%d+)$')
    if not ends or tonumber(ends) < ms then
      redis.call('HDEL', KEYS[3], known[i])
    elseif known[i] ~= ARGV[6] then
      others = others + tonumber(count)
      if count ~= '0' then
        claims[#claims + 1], claims[#claims + 2] = known[i], known[i + 1]
      end
    end
  end
  claim = math.max(tonumber(ARGV[7]), math.min(tonumber(ARGV[8]), tonumber(ARGV[5]) - others))
  redis.call('HSET', KEYS[3], ARGV[6], string.format('%d %d', claim, ms + ARGV[9]))
end
local ahead = 0
if ARGV[10] ~= '' then
  local free = tonumber(redis.call('HGET', KEYS[2], 'free') or '0') or 0
  if ARGV[11] ~= '' then
    free = math.max(free, now + ARGV[11])
  end
  ahead = math.min(math.max(free - now, 0) + ARGV[10], tonumber(ARGV[12]))
  redis.call('HSET', KEYS[2], 'free', string.format('%.3f', now + ahead))
end
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < ARGV[15] - 60000 then
    redis.call('PEXPIRE', key, ARGV[15])
  end
end
local told = redis.call('XRANGE', KEYS[1], '(' .. ARGV[2], '+', 'COUNT', ARGV[4])
return {time[1] * 1000000 + time[2], tonumber(calls), claim, math.floor(ahead), began, claims, told}
",
    )
}

/// Tells secrets by which there are tickets, and gives those that are known. If none is, the first argument becomes one.
///
/// Keys: secrets. Arguments: the secret of one that brings none by which there are tickets, how many are kept, then those by which
/// there are.
pub(super) fn room_secrets() -> Script {
    Script::new(
        r"
local known = redis.call('LRANGE', KEYS[1], 0, -1)
local function add(secret)
  for _, other in ipairs(known) do
    if other == secret then
      return
    end
  end
  if #known < tonumber(ARGV[2]) then
    known[#known + 1] = secret
    redis.call('RPUSH', KEYS[1], secret)
  end
end
for i = 3, #ARGV do
  add(ARGV[i])
end
if #known == 0 then
  add(ARGV[1])
end
return known
",
    )
}

/// What is known of members: until when each is one, `left`, or `gone` without a word.
///
/// Keys: members, then where it is marked of each that it has left. Arguments: the members.
pub(super) fn granters() -> Script {
    Script::new(
        r"
local told = {}
for i, member in ipairs(ARGV) do
  told[i] = redis.call('ZSCORE', KEYS[1], member) or redis.call('GET', KEYS[i + 1]) or 'gone'
end
return told
",
    )
}

/// Marks that a member has left, unless it is there; whether it is not.
///
/// Keys: members, where that is marked. Arguments: the member, for how many milliseconds.
pub(super) fn follow() -> Script {
    Script::new(
        r"
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[2], 'left', 'PX', ARGV[2])
return 1
",
    )
}

/// A member goes. Keys: members, applied, where it is marked that it has left. Arguments: the member, for how many milliseconds.
pub(super) fn leave() -> Script {
    Script::new(
        r"
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('SET', KEYS[3], 'left', 'PX', ARGV[2])
return 1
",
    )
}
