-- Minute rollups of all series for the instants [$1, $2), computed from the readings; running it again changes nothing.
-- One index range a series: there is no index on the time alone, and a leaf is too large to be scanned each minute.
-- A sum of finite numbers that does not fit a double would be an error and stop the loop for ever, so numbers beyond
-- 1e290 count as infinite in sums. NaN makes the sum NaN and counts as the largest value, as Postgres orders it.
INSERT INTO rollup_minute (series_id, ts, count, sum, min, max, first, last)
SELECT series.id, buckets.*
  FROM series
 CROSS JOIN LATERAL (
       SELECT date_bin('1 minute', ts, '2000-01-01 00:00+00') AS bucket,
              count(*),
              sum(CASE WHEN value BETWEEN -1e290 AND 1e290 THEN value ELSE value * 'Infinity'::float8 END),
              min(value),
              max(value),
              (array_agg(value ORDER BY ts))[1],
              (array_agg(value ORDER BY ts))[count(*)]
         FROM readings
        WHERE series_id = series.id AND ts >= $1 AND ts < $2
        GROUP BY bucket) AS buckets
    ON CONFLICT (series_id, ts) DO UPDATE
   SET count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max,
       first = excluded.first, last = excluded.last
