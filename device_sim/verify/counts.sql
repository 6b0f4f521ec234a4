-- What device_sim/verify/judge.py judges: three statements on the tables of outcomes.sql.
-- First TimedCount, then UntimedCount, then the number of rows that nobody sent.

SELECT acknowledged, copies, wrong, collided, count(*) FROM timed GROUP BY 1, 2, 3, 4;

SELECT sends, pubacks, receipts, rows, count(*) FROM untimed WHERE sends > 0 GROUP BY 1, 2, 3, 4;

SELECT coalesce(sum(rows), 0)::bigint FROM untimed WHERE sends = 0
