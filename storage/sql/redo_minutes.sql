-- Minute rollups of the dirty hours ($1 series ids, $2 hours), up to $3, where the minutes after it are not rolled yet.
-- All hours are in [$4, $5): so the planner opens and locks the leaves of that time, and not all that there are.
INSERT INTO rollup_minute (series_id, ts, count, sum, min, max, first, last)
SELECT dirty.series_id, buckets.*
  FROM unnest($1::int4[], $2::timestamptz[]) AS dirty(series_id, hour)
 CROSS JOIN LATERAL (
       SELECT date_bin('1 minute', ts, '2000-01-01 00:00+00') AS bucket,
              count(*),
              sum(CASE WHEN value BETWEEN -1e290 AND 1e290 THEN value ELSE value * 'Infinity'::float8 END),
              min(value),
              max(value),
              (array_agg(value ORDER BY ts))[1],
              (array_agg(value ORDER BY ts))[count(*)]
         FROM readings
        WHERE series_id = dirty.series_id AND ts >= $4::timestamptz AND ts < $5::timestamptz
          AND ts >= dirty.hour AND ts < least(dirty.hour + interval '1 hour', $3::timestamptz)
        GROUP BY bucket) AS buckets
    ON CONFLICT (series_id, ts) DO UPDATE
   SET count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max,
       first = excluded.first, last = excluded.last
