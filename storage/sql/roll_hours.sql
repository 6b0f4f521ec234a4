-- Hour rollups of all series for the whole hours [$1, $2), computed from the minutes; running it again changes nothing.
INSERT INTO rollup_hour (series_id, ts, count, sum, min, max, first, last)
SELECT series.id, buckets.*
  FROM series
 CROSS JOIN LATERAL (
       SELECT date_bin('1 hour', ts, '2000-01-01 00:00+00') AS bucket,
              sum(count)::int4, sum(sum), min(min), max(max),
              (array_agg(first ORDER BY ts))[1],
              (array_agg(last ORDER BY ts))[count(*)]
         FROM rollup_minute
        WHERE series_id = series.id AND ts >= $1 AND ts < $2
        GROUP BY bucket) AS buckets
    ON CONFLICT (series_id, ts) DO UPDATE
   SET count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max,
       first = excluded.first, last = excluded.last
