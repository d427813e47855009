-- Sends the requests of a file in turn, each a line METHOD<tab>PATH<tab>TOKEN<tab>BODY; prints one line of JSON at the end.
local threads = 0

function setup(thread)
    thread:set("first", threads)
    threads = threads + 1
end

function init(args)
    requests, turn = {}, 0
    for line in io.lines(args[1]) do
        local method, path, token, body = line:match("^(.-)\t(.-)\t(.-)\t(.*)$")
        local headers = {}
        if token ~= "" then headers["Authorization"] = "Bearer " .. token end
        if body == "" then body = nil else headers["Content-Type"] = "application/json" end
        requests[#requests + 1] = wrk.format(method, path, headers, body)
    end
    turn = math.floor(#requests / 2) * first
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function done(summary, latency, _)
    local errors = summary.errors
    local milliseconds = function(part) return latency:percentile(part) / 1000 end
    print(string.format(
        '{"requests": %d, "seconds": %f, "failed": %d, "broken": %d, "p50": %f, "p99": %f, "p999": %f, "max": %f}',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        milliseconds(50), milliseconds(99), milliseconds(99.9), latency.max / 1000
    ))
end
