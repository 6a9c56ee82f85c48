/* +++
name = "collective"
doc = "One row per collective operation of a capture, matched over the ranks that landed"
key = "capture_id"
kinds = ["trace"]
sources = ["collective"]
order = ["capture_id", "first_start_ns", "match_key", "ordinal"]

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
name = "match_by"
type = "string"
doc = "How the ranks' kernels were recognised as one collective, the same for a whole capture: comms_id (every kernel has a Comms Id), pg_seq (process group and sequence number), ordinal (the how-manieth of its kind on its stream)"
[[column]]
name = "match_key"
type = "string"
doc = "What the kernels of this collective have in common, beside ordinal"
[[column]]
name = "ordinal"
type = "long"
unit = "1"
doc = "From 1: the how-manieth kernel with this match_key on its rank, in order of time"
[[column]]
name = "comms_id"
type = "string"
doc = "Kineto's Comms Id, where there is one"
[[column]]
name = "pg_name"
type = "string"
doc = "Process group, where it is known"
[[column]]
name = "seq"
type = "long"
doc = "Sequence number in its process group, where it is known"
[[column]]
name = "coll"
type = "string"
doc = "Which operation, as the trace or else the kernel's name calls it"
[[column]]
name = "stream"
type = "long"
doc = "CUDA or HIP stream; null where the ranks used different ones"
[[column]]
name = "step"
type = "long"
doc = "Profiler step, the lowest of the ranks"
[[column]]
name = "group_size"
type = "long"
unit = "1"
doc = "Ranks that take part: of the process group, else of the world"
[[column]]
name = "ranks"
type = "list<long>"
doc = "Ranks whose kernel is there, ascending"
[[column]]
name = "ranks_landed"
type = "long"
unit = "1"
doc = "How many they are"
[[column]]
name = "ranks_missing"
type = "list<long>"
doc = "Ranks of the group whose kernel is not there; null where the members of the group are not known. Where no group is known the whole world is meant"
[[column]]
name = "first_start_ns"
type = "long"
unit = "ns"
doc = "Earliest start, by the file's own clock"
[[column]]
name = "last_start_ns"
type = "long"
unit = "ns"
doc = "Latest start, by the file's own clock"
[[column]]
name = "last_rank"
type = "long"
doc = "The rank that started last, which the others waited for; of equal starts the one with the shorter kernel, then the lower rank; null with fewer than two ranks. Starts of different hosts are compared as they stand: see nodes and shortest_rank"
[[column]]
name = "delay_ns"
type = "long"
unit = "ns"
doc = "Last start less second-last start: what the last rank alone cost; null with fewer than two ranks"
[[column]]
name = "shortest_rank"
type = "long"
doc = "The rank with the shortest kernel: all end together, so it came last by any clock; of equals the lower rank; null with fewer than two ranks"
[[column]]
name = "dur_min_ns"
type = "long"
unit = "ns"
doc = "Duration of the shortest kernel: the transfer without the waiting"
[[column]]
name = "wait_ns"
type = "list<long>"
unit = "ns"
doc = "How long each of ranks waited, in their order: its duration less dur_min_ns"
[[column]]
name = "end_spread_ns"
type = "long"
unit = "ns"
doc = "Latest end less earliest end: some microseconds where the match is right and the clocks are one"
[[column]]
name = "bytes"
type = "long"
unit = "By"
doc = "S of nccl-tests' PERFORMANCE.md, the largest of the ranks: null where the trace does not tell sizes"
[[column]]
name = "busbw"
type = "double"
unit = "By/s"
doc = "Bus bandwidth after nccl-tests' PERFORMANCE.md: S / dur_min_ns times 2(n-1)/n for all-reduce, (n-1)/n for all-gather, reduce-scatter and all-to-all, n = group_size; null for other operations. While the last rank is missing it is a lower bound"
[[column]]
name = "nodes"
type = "long"
unit = "1"
doc = "Hosts that the ranks ran on: with more than one, starts come from clocks that are not aligned"
[[column]]
name = "payload_ids"
type = "list<string>"
doc = "Payloads that this row was computed from, in the order of ranks"
+++ */
WITH landed AS (
    -- A rank may have landed twice in one capture (the same window exported again): one of them, always the same.
    SELECT capture_id, rank, min(payload_id) AS payload_id, max(node) AS node
    FROM {{ payloads }}
    WHERE capture_id IS NOT NULL AND rank IS NOT NULL
    GROUP BY capture_id, rank
),
worlds AS (
    SELECT capture_id, max(world_size) AS world_size FROM {{ payloads }} GROUP BY capture_id
),
events AS (
    SELECT
        l.capture_id, l.rank, l.payload_id, l.node,
        c.run_id, c.captured_at, c.step, c.ts_ns, c.dur_ns, c.correlation,
        nullif(c.comms_id, '') AS comms_id, nullif(c.pg_name, '') AS pg_name,
        CASE WHEN c.seq >= 0 THEN c.seq END AS seq,
        coalesce(c.coll, c.name) AS coll, c.stream, c.group_size, c.group_ranks, c.bytes,
        dense_rank() OVER (PARTITION BY l.capture_id, l.rank ORDER BY c.stream) AS stream_order
    FROM silver.{{ dataset }}_collective AS c
    JOIN landed AS l ON l.payload_id = c.payload_id
    WHERE c.payload_id IN ({{ payload_ids }})
        -- A send and its receive are two kernels of two ranks and no collective. What a kernel's name calls send_recv
        -- stays: all-to-all is made of it.
        AND NOT coalesce(c.coll IN ('send', 'recv'), false)
),
modes AS (
    -- One way of matching for a whole capture: a way that holds for some kernels only would match the rest wrongly.
    SELECT
        capture_id,
        CASE
            WHEN count(comms_id) = count(*) THEN 'comms_id'
            WHEN count(pg_name) = count(*) AND count(seq) = count(*) THEN 'pg_seq'
            ELSE 'ordinal'
        END AS match_by
    FROM events
    GROUP BY capture_id
),
lanes AS (
    -- Stream numbers may differ from rank to rank. With equally many streams on every rank, their order matches them.
    SELECT capture_id, min(streams) = max(streams) AS by_order
    FROM (SELECT capture_id, rank, max(stream_order) AS streams FROM events GROUP BY capture_id, rank)
    GROUP BY capture_id
),
keyed AS (
    SELECT
        e.*, m.match_by,
        CASE m.match_by
            WHEN 'comms_id' THEN e.comms_id
            WHEN 'pg_seq' THEN concat(e.pg_name, '/', e.seq)
            ELSE concat(
                CASE WHEN e.pg_name IS NOT NULL THEN concat(e.pg_name, '/') END, e.coll,
                CASE WHEN l.by_order THEN concat('/stream #', e.stream_order) ELSE concat('/stream ', e.stream) END
            )
        END AS match_key
    FROM events AS e
    JOIN modes AS m ON m.capture_id = e.capture_id
    JOIN lanes AS l ON l.capture_id = e.capture_id
),
numbered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY capture_id, match_key, rank ORDER BY ts_ns, dur_ns, correlation
        ) AS ordinal
    FROM keyed
),
placed AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY capture_id, match_key, ordinal ORDER BY ts_ns DESC, dur_ns, rank
        ) AS place,
        row_number() OVER (PARTITION BY capture_id, match_key, ordinal ORDER BY dur_ns, rank) AS shortness,
        min(dur_ns) OVER (PARTITION BY capture_id, match_key, ordinal) AS dur_min_ns
    FROM numbered
),
collectives AS (
    SELECT
        capture_id, match_key, ordinal,
        min(match_by) AS match_by,
        min(run_id) AS run_id, min(captured_at) AS captured_at, min(comms_id) AS comms_id, min(pg_name) AS pg_name,
        min(seq) AS seq, min(coll) AS coll, min(step) AS step,
        CASE WHEN min(stream) = max(stream) THEN min(stream) END AS stream,
        max(group_size) AS group_size,
        first_value(group_ranks ORDER BY rank) FILTER (WHERE group_ranks IS NOT NULL) AS group_ranks,
        array_agg(CAST(rank AS BIGINT) ORDER BY rank) AS ranks,
        count(*) AS ranks_landed,
        min(ts_ns) AS first_start_ns,
        max(ts_ns) AS last_start_ns,
        max(CASE WHEN place = 1 THEN rank END) AS last_rank,
        max(CASE WHEN place = 1 THEN ts_ns END) - max(CASE WHEN place = 2 THEN ts_ns END) AS delay_ns,
        max(CASE WHEN shortness = 1 THEN rank END) AS shortest_rank,
        min(dur_min_ns) AS dur_min_ns,
        array_agg(dur_ns - dur_min_ns ORDER BY rank) AS wait_ns,
        max(ts_ns + dur_ns) - min(ts_ns + dur_ns) AS end_spread_ns,
        max(bytes) AS bytes,
        count(DISTINCT node) AS nodes,
        array_agg(payload_id ORDER BY rank) AS payload_ids
    FROM placed
    GROUP BY capture_id, match_key, ordinal
),
sized AS (
    SELECT
        c.*,
        coalesce(c.group_size, CAST(array_length(c.group_ranks) AS BIGINT), CAST(w.world_size AS BIGINT)) AS n,
        CASE
            -- Kineto cuts long lists: a list that is shorter than the group is not the group.
            WHEN CAST(array_length(c.group_ranks) AS BIGINT) >= coalesce(c.group_size, 0) THEN c.group_ranks
            WHEN coalesce(c.group_size, w.world_size) = w.world_size THEN range(0, CAST(w.world_size AS BIGINT))
        END AS members,
        replace(lower(c.coll), '_', '') AS operation
    FROM collectives AS c
    JOIN worlds AS w ON w.capture_id = c.capture_id
)
SELECT
    capture_id, run_id, captured_at, match_by, match_key, ordinal, comms_id, pg_name, seq, coll, stream, step,
    n AS group_size, ranks, ranks_landed,
    array_sort(array_except(members, ranks)) AS ranks_missing,
    first_start_ns, last_start_ns,
    CASE WHEN ranks_landed > 1 THEN last_rank END AS last_rank,
    delay_ns,
    CASE WHEN ranks_landed > 1 THEN shortest_rank END AS shortest_rank,
    dur_min_ns, wait_ns, end_spread_ns, bytes,
    CASE
        WHEN dur_min_ns <= 0 OR n < 1 THEN NULL
        WHEN operation LIKE '%allreduce%' THEN bytes / (dur_min_ns * 1e-9) * (2.0 * (n - 1) / n)
        WHEN operation LIKE '%allgather%' OR operation LIKE '%reducescatter%' OR operation LIKE '%alltoall%'
            THEN bytes / (dur_min_ns * 1e-9) * (1.0 * (n - 1) / n)
    END AS busbw,
    nodes, payload_ids
FROM sized
