/* +++
name = "kernel_stats"
doc = "One row per payload and kernel: how often it ran and how long"
key = "payload_id"
kinds = ["trace"]
sources = ["kernel"]
order = ["payload_id", "name", "kernel_type"]

[[column]]
name = "payload_id"
type = "string"
doc = "The trace"
[[column]]
name = "run_id"
type = "string"
doc = "The training run"
[[column]]
name = "capture_id"
type = "string"
doc = "The profiling window over all ranks"
[[column]]
name = "captured_at"
type = "timestamp"
doc = "Begin of the capture on this rank, UTC"
[[column]]
name = "rank"
type = "long"
doc = "The rank, where it is known"
[[column]]
name = "name"
type = "string"
doc = "The kernel's name as in the trace; memory copies and sets have theirs"
[[column]]
name = "kernel_type"
type = "string"
doc = "comm, compute or memory"
[[column]]
name = "count"
type = "long"
unit = "1"
doc = "How often it ran"
[[column]]
name = "time_ns"
type = "long"
unit = "ns"
doc = "Sum of its durations; kernels of several streams may overlap"
[[column]]
name = "p50_ns"
type = "long"
unit = "ns"
doc = "Median duration by nearest rank: the ceil(count x 0.50)-th shortest, a duration that occurred"
[[column]]
name = "p99_ns"
type = "long"
unit = "ns"
doc = "99th percentile by nearest rank: the ceil(count x 0.99)-th shortest, a duration that occurred"
[[column]]
name = "min_ns"
type = "long"
unit = "ns"
doc = "Shortest duration"
[[column]]
name = "max_ns"
type = "long"
unit = "ns"
doc = "Longest duration"
+++ */
WITH placed AS (
    SELECT
        payload_id, run_id, capture_id, captured_at, rank, name, kernel_type, dur_ns,
        row_number() OVER (PARTITION BY payload_id, name, kernel_type ORDER BY dur_ns) AS place,
        count(*) OVER (PARTITION BY payload_id, name, kernel_type) AS n
    FROM silver.{{ dataset }}_kernel
    WHERE payload_id IN ({{ payload_ids }})
)
SELECT
    payload_id, min(run_id) AS run_id, min(capture_id) AS capture_id, min(captured_at) AS captured_at,
    min(rank) AS rank, name, kernel_type,
    count(*) AS count,
    sum(dur_ns) AS time_ns,
    -- ceil(n x 50 / 100) and ceil(n x 99 / 100) in integers: exact for any n.
    max(CASE WHEN place = (n * 50 + 99) / 100 THEN dur_ns END) AS p50_ns,
    max(CASE WHEN place = (n * 99 + 99) / 100 THEN dur_ns END) AS p99_ns,
    min(dur_ns) AS min_ns,
    max(dur_ns) AS max_ns
FROM placed
GROUP BY payload_id, name, kernel_type
