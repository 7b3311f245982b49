-- One admission by the generic cell rate algorithm, for all quotas or for none.
--
-- KEYS[i]            when the bucket of quota i will be full, in microseconds of this server's clock
-- ARGV[1]            the longest wait that is of use
-- ARGV[3i-1 .. 3i+1] for quota i: what is taken, how deep the bucket is, what is corrected
--                    (all in microseconds of the quota's pace)
-- Returns whether it is admitted, and the wait.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function keep(key, full)
  -- No debt is longer than seventy years, so that numbers stay exact and can expire.
  full = math.min(full, now + 2 ^ 51)
  if full > now then
    redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
  else
    redis.call('DEL', key)
  end
end

local at = now
local full = {}
for i = 1, #KEYS do
  local take, depth, correction = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local was = tonumber(redis.call('GET', KEYS[i]) or 0)
  if correction > 0 then
    was = math.max(was, now) + correction
  else
    was = was + correction
  end
  full[i] = math.max(was, now)
  at = math.max(at, full[i] + math.min(take, depth) - depth)
end

local admitted = at - now <= tonumber(ARGV[1])
for i = 1, #KEYS do
  if admitted then
    keep(KEYS[i], math.max(full[i], at) + tonumber(ARGV[3 * i - 1]))
  elseif tonumber(ARGV[3 * i + 1]) ~= 0 then
    keep(KEYS[i], full[i])
  end
end
return { admitted and 1 or 0, at - now }
