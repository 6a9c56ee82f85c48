/* +++
name = "straggler"
doc = "One row per capture: which rank the others waited for"
key = "capture_id"
kinds = ["trace"]
sources = ["collective"]
order = ["capture_id"]

[[column]]
name = "capture_id"
type = "string"
doc = "The profiling window over all ranks"
[[column]]
name = "run_id"
type = "string"
doc = "The training run"
[[column]]
name = "captured_at"
type = "timestamp"
doc = "Begin of the capture, the earliest of its ranks, UTC"
[[column]]
name = "world_size"
type = "long"
unit = "1"
doc = "Ranks of the run, where a trace tells it"
[[column]]
name = "ranks"
type = "list<long>"
doc = "Ranks that landed, ascending"
[[column]]
name = "ranks_landed"
type = "long"
unit = "1"
doc = "How many they are"
[[column]]
name = "ranks_missing"
type = "list<long>"
doc = "Ranks of the run that did not land; null where the number of ranks is not known"
[[column]]
name = "collectives"
type = "long"
unit = "1"
doc = "Collectives that were matched over two ranks or more"
[[column]]
name = "match_by"
type = "string"
doc = "How they were matched, see the collective table"
[[column]]
name = "straggler_rank"
type = "long"
doc = "The rank that came last most often, among ranks that landed; of equals the one with the larger total delay, then the lower rank; null where nothing was matched"
[[column]]
name = "times_last"
type = "long"
unit = "1"
doc = "In how many of the collectives it came last"
[[column]]
name = "total_delay_ns"
type = "long"
unit = "ns"
doc = "Sum over those of last start less second-last start: what this rank alone cost"
[[column]]
name = "times_shortest"
type = "long"
unit = "1"
doc = "In how many of the collectives its kernel was the shortest: the same question without comparing clocks"
[[column]]
name = "most_nccl_rank"
type = "long"
doc = "The rank that spent most time in communication kernels. It waited longest and is usually not the culprit"
[[column]]
name = "most_nccl_ns"
type = "long"
unit = "ns"
doc = "That time, summed over its communication kernels"
[[column]]
name = "note"
type = "string"
doc = "What weakens the answer, in words; null where nothing is known to"
[[column]]
name = "payload_ids"
type = "list<string>"
doc = "Payloads of this capture, ascending"
+++ */
WITH matched AS (
    SELECT * FROM ({{ model.collective }}) WHERE ranks_landed > 1
),
captures AS (
    SELECT
        capture_id,
        min(run_id) AS run_id,
        min(acquired_at) AS captured_at,
        max(CAST(world_size AS BIGINT)) AS world_size,
        array_sort(array_agg(DISTINCT CAST(rank AS BIGINT)) FILTER (WHERE rank IS NOT NULL)) AS ranks,
        count(DISTINCT rank) AS ranks_landed,
        count(rank) - count(DISTINCT rank) AS repeated,
        count(*) - count(rank) AS rankless,
        array_agg(payload_id ORDER BY payload_id) AS payload_ids
    FROM {{ payloads }}
    WHERE capture_id IS NOT NULL
    GROUP BY capture_id
),
totals AS (
    SELECT
        capture_id, count(*) AS collectives, min(match_by) AS match_by, max(nodes) AS nodes,
        min(captured_at) AS captured_at
    FROM matched
    GROUP BY capture_id
),
lateness AS (
    SELECT
        capture_id, last_rank, count(*) AS times_last, sum(delay_ns) AS total_delay_ns,
        row_number() OVER (
            PARTITION BY capture_id ORDER BY count(*) DESC, sum(delay_ns) DESC, last_rank
        ) AS place
    FROM matched
    GROUP BY capture_id, last_rank
),
shortness AS (
    SELECT capture_id, shortest_rank, count(*) AS times_shortest FROM matched GROUP BY capture_id, shortest_rank
),
spent AS (
    SELECT
        p.capture_id, p.rank, sum(c.dur_ns) AS nccl_ns,
        row_number() OVER (PARTITION BY p.capture_id ORDER BY sum(c.dur_ns) DESC, p.rank) AS place
    FROM silver.{{ dataset }}_collective AS c
    JOIN (SELECT capture_id, rank, min(payload_id) AS payload_id FROM {{ payloads }} GROUP BY capture_id, rank) AS p
        ON p.payload_id = c.payload_id
    WHERE c.payload_id IN ({{ payload_ids }}) AND p.capture_id IS NOT NULL AND p.rank IS NOT NULL
    GROUP BY p.capture_id, p.rank
),
missing AS (
    SELECT
        capture_id,
        CASE
            WHEN world_size IS NOT NULL
                THEN array_sort(array_except(range(0, world_size), coalesce(ranks, range(0, 0))))
        END AS ranks_missing
    FROM captures
)
SELECT
    c.capture_id, c.run_id, coalesce(t.captured_at, c.captured_at) AS captured_at, c.world_size,
    coalesce(c.ranks, range(0, 0)) AS ranks, c.ranks_landed, m.ranks_missing,
    coalesce(t.collectives, 0) AS collectives, t.match_by,
    l.last_rank AS straggler_rank, l.times_last, l.total_delay_ns,
    CASE WHEN l.last_rank IS NOT NULL THEN coalesce(s.times_shortest, 0) END AS times_shortest,
    n.rank AS most_nccl_rank, n.nccl_ns AS most_nccl_ns,
    nullif(concat_ws(
        '; ',
        CASE WHEN c.world_size IS NULL THEN 'the number of ranks is not known, others may be missing' END,
        CASE
            WHEN array_length(m.ranks_missing) > 0 THEN concat(
                'of ', c.world_size, ' ranks these are missing, and one of them may be the straggler: ',
                array_to_string(m.ranks_missing, ', ')
            )
        END,
        CASE WHEN c.rankless > 0 THEN concat('payloads of unknown rank left out: ', c.rankless) END,
        CASE WHEN c.repeated > 0 THEN concat('payloads of a rank that is there already left out: ', c.repeated) END,
        CASE WHEN t.collectives IS NULL THEN 'no collective could be matched over two ranks or more' END,
        CASE WHEN t.match_by = 'ordinal' THEN 'collectives were matched by their order alone' END,
        CASE
            WHEN t.nodes > 1 THEN concat(
                'starts of ', t.nodes, ' nodes were compared though their clocks are not aligned: see times_shortest'
            )
        END
    ), '') AS note,
    c.payload_ids
FROM captures AS c
JOIN missing AS m ON m.capture_id = c.capture_id
LEFT JOIN totals AS t ON t.capture_id = c.capture_id
LEFT JOIN lateness AS l ON l.capture_id = c.capture_id AND l.place = 1
LEFT JOIN shortness AS s ON s.capture_id = c.capture_id AND s.shortest_rank = l.last_rank
LEFT JOIN spent AS n ON n.capture_id = c.capture_id AND n.place = 1
