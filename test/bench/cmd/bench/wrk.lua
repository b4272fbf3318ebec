-- wrk's script: the tokens in the file TOKENS, if there are any, in turns, and a result for load.Result.
local requests = {}

function init()
	for token in io.lines(os.getenv("TOKENS")) do
		requests[#requests + 1] = wrk.format(nil, nil, { Authorization = "Bearer " .. token })
	end
	if #requests == 0 then
		requests[1] = wrk.format()
	end
end

local last = 0
function request()
	last = last % #requests + 1
	return requests[last]
end

function done(summary, latency, requests)
	local e = summary.errors
	io.stderr:write(string.format(
		'{"requests":%d,"bytes":%d,"errors":%d,"duration_ns":%d,"p50_ns":%d,"p99_ns":%d}\n',
		summary.requests, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
		summary.duration * 1000, latency:percentile(50) * 1000, latency:percentile(99) * 1000))
end
