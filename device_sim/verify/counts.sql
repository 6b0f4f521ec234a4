-- What device_sim/verify/judge.py judges: three statements on the tables of outcomes.sql.
-- First TimedCount, then UntimedCount, then the number of rows that nobody sent.

SELECT wanted.acknowledged, coalesce(matched.copies, 0), coalesce(matched.wrong, 0), wanted.collided, count(*)
FROM wanted LEFT JOIN matched USING (key, ts)
GROUP BY 1, 2, 3, 4;

SELECT sends, pubacks, receipts, rows, count(*) FROM untimed WHERE sends > 0 GROUP BY 1, 2, 3, 4;

SELECT coalesce(sum(rows), 0)::bigint FROM untimed WHERE sends = 0
