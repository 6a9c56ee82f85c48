/* +++
name = "coverage"
doc = "One row per site and UTC day of acquisition: how much was acquired, and how much of it is fit for use"
key = "partition"
kinds = ["spectra"]
sources = ["pixels"]
order = ["site", "acquired_day"]

[[column]]
name = "site"
type = "string"
doc = "Where the cubes were acquired"
[[column]]
name = "acquired_day"
type = "date"
doc = "UTC day of their acquisition; null where it is not known"
[[column]]
name = "cubes"
type = "long"
unit = "1"
doc = "Cubes of that day, those without pixels among them"
[[column]]
name = "first_acquired_at"
type = "timestamp"
doc = "Acquisition of the earliest of them, UTC"
[[column]]
name = "last_acquired_at"
type = "timestamp"
doc = "Acquisition of the latest of them, UTC"
[[column]]
name = "pixels"
type = "long"
unit = "1"
doc = "Pixels of all of them"
[[column]]
name = "pixels_valid"
type = "long"
unit = "1"
doc = "Pixels with no bit of q & 0x7FF set"
[[column]]
name = "payload_ids"
type = "list<string>"
doc = "The cubes, ascending"
+++ */
WITH counted AS (
    SELECT payload_id, count(*) AS pixels, count(*) FILTER (WHERE (q & 2047) = 0) AS pixels_valid
    FROM silver.{{ dataset }}_pixels
    WHERE payload_id IN ({{ payload_ids }})
    GROUP BY payload_id
)
SELECT
    p.site, p.acquired_day,
    count(*) AS cubes,
    min(p.acquired_at) AS first_acquired_at,
    max(p.acquired_at) AS last_acquired_at,
    coalesce(sum(c.pixels), 0) AS pixels,
    coalesce(sum(c.pixels_valid), 0) AS pixels_valid,
    array_agg(p.payload_id ORDER BY p.payload_id) AS payload_ids
FROM {{ payloads }} AS p
LEFT JOIN counted AS c ON c.payload_id = p.payload_id
GROUP BY p.site, p.acquired_day
