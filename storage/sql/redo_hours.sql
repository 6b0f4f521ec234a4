-- Hour rollups of the dirty hours ($1 series ids, $2 hours) that end at or before $3.
-- All hours are in [$4, $5): so the planner opens and locks the leaves of that time, and not all that there are.
INSERT INTO rollup_hour (series_id, ts, count, sum, min, max, first, last)
SELECT dirty.series_id, dirty.hour, buckets.*
  FROM unnest($1::int4[], $2::timestamptz[]) AS dirty(series_id, hour)
 CROSS JOIN LATERAL (
       SELECT sum(count)::int4, sum(sum), min(min), max(max),
              (array_agg(first ORDER BY ts))[1],
              (array_agg(last ORDER BY ts))[count(*)]
         FROM rollup_minute
        WHERE series_id = dirty.series_id AND ts >= $4::timestamptz AND ts < $5::timestamptz
          AND ts >= dirty.hour AND ts < dirty.hour + interval '1 hour'
       HAVING count(*) > 0) AS buckets
 WHERE dirty.hour + interval '1 hour' <= $3::timestamptz
    ON CONFLICT (series_id, ts) DO UPDATE
   SET count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max,
       first = excluded.first, last = excluded.last
