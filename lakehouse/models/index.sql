/* +++
name = "index"
doc = "One row per cube, spectral index and cell of a grid: the mean of the pixels' index"
key = "payload_id"
kinds = ["spectra"]
sources = ["pixels"]
order = ["payload_id", "index", "cell_line", "cell_sample"]

# An index is a formula over two means, a and b, of the good bands whose centre lies in a range (nm, both ends in).
[[index]]
name = "ndvi"
formula = "(a - b) / (a + b)"
a_nm = [760.0, 900.0]
b_nm = [620.0, 690.0]
source = "Rouse et al. 1974, near infrared and red"

[[index]]
name = "ndwi_mcfeeters"
formula = "(a - b) / (a + b)"
a_nm = [520.0, 600.0]
b_nm = [760.0, 900.0]
source = "McFeeters 1996, green and near infrared: open water; ranges of Landsat TM bands 2 and 4"

[[index]]
name = "ndwi_gao"
formula = "(a - b) / (a + b)"
a_nm = [850.0, 870.0]
b_nm = [1230.0, 1250.0]
source = "Gao 1996, 0.86 and 1.24 um, 20 nm wide each: water in leaves"

[[index]]
name = "ndii"
formula = "(a - b) / (a + b)"
a_nm = [760.0, 900.0]
b_nm = [1550.0, 1750.0]
source = "Hardisky et al. 1983, near infrared and shortwave infrared: not Gao's index"

[[index]]
name = "ci_re"
formula = "a / b - 1"
a_nm = [760.0, 800.0]
b_nm = [690.0, 720.0]
source = "Gitelson et al. 2003, near infrared over red edge less one"

[[column]]
name = "payload_id"
type = "string"
doc = "The cube"
[[column]]
name = "site"
type = "string"
doc = "Where it was acquired"
[[column]]
name = "node"
type = "string"
doc = "The host it came from"
[[column]]
name = "acquired_at"
type = "timestamp"
doc = "Acquisition time, UTC"
[[column]]
name = "index"
type = "string"
doc = "Which index: ndvi, ndwi_mcfeeters, ndwi_gao, ndii or ci_re"
[[column]]
name = "quantity"
type = "string"
doc = "What the band values are. An index of dn or radiance is no index of reflectance: compare like with like"
[[column]]
name = "bands_a"
type = "string"
doc = "Bands averaged for the first operand, weighted by FWHM, or equally where a FWHM is not known"
[[column]]
name = "bands_b"
type = "string"
doc = "Bands averaged for the second operand, as for the first"
[[column]]
name = "cell_pixels"
type = "long"
unit = "1"
doc = "Edge of a cell in pixels; cells at the far edges may be smaller"
[[column]]
name = "cell_line"
type = "long"
unit = "1"
doc = "From 0: the cell's line in the grid of cells"
[[column]]
name = "cell_sample"
type = "long"
unit = "1"
doc = "From 0: the cell's place in its line of cells"
[[column]]
name = "line_first"
type = "long"
unit = "1"
doc = "The cell's first line of pixels, from 0"
[[column]]
name = "sample_first"
type = "long"
unit = "1"
doc = "The cell's first sample, from 0"
[[column]]
name = "x"
type = "double"
doc = "Mean of its pixel centres, in the cube's coordinate system; null without map info"
[[column]]
name = "y"
type = "double"
doc = "Mean of its pixel centres, in the cube's coordinate system; null without map info"
[[column]]
name = "mean"
type = "double"
unit = "1"
doc = "Mean of the index over valid pixels, each rounded to 12 decimals so that the order of reading does not matter; null where none is valid"
[[column]]
name = "n_valid"
type = "long"
unit = "1"
doc = "Pixels with no bit of q & 0x7FF set, every used band present and a finite index"
[[column]]
name = "n_total"
type = "long"
unit = "1"
doc = "Pixels in the cell"
+++ */
WITH pixels AS (
    SELECT
        payload_id, site, node, acquired_at, line, sample, x, y, q,
        {{ mean_a }} AS a,
        {{ mean_b }} AS b
    FROM silver.{{ dataset }}_pixels
    WHERE payload_id IN ({{ payload_ids }})
),
judged AS (
    -- Sums of decimals are exact, so a mean does not depend on the order in which files and cores deliver pixels. A
    -- division by zero, a NaN or a number beyond any use becomes null here, which is what makes a pixel invalid.
    SELECT
        payload_id, site, node, acquired_at, line, sample,
        TRY_CAST(x AS DECIMAL(28, 12)) AS x, TRY_CAST(y AS DECIMAL(28, 12)) AS y,
        CASE WHEN (q & 2047) = 0 THEN TRY_CAST(({{ formula }}) AS DECIMAL(28, 12)) END AS value
    FROM pixels
)
SELECT
    payload_id, min(site) AS site, min(node) AS node, min(acquired_at) AS acquired_at,
    {{ index }} AS index, {{ quantity }} AS quantity, {{ bands_a }} AS bands_a, {{ bands_b }} AS bands_b,
    {{ cell_pixels }} AS cell_pixels,
    line / {{ cell_pixels }} AS cell_line,
    sample / {{ cell_pixels }} AS cell_sample,
    min(line) AS line_first,
    min(sample) AS sample_first,
    CAST(sum(x) AS DOUBLE) / count(x) AS x,
    CAST(sum(y) AS DOUBLE) / count(y) AS y,
    CASE WHEN count(value) > 0 THEN CAST(sum(value) AS DOUBLE) / count(value) END AS mean,
    count(value) AS n_valid,
    count(*) AS n_total
FROM judged
GROUP BY payload_id, line / {{ cell_pixels }}, sample / {{ cell_pixels }}
