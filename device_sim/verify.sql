-- How many readings of the ledger rest in the database, and how often: one row for each (acknowledged, copies).
-- Needs the temporary tables of device_sim/verify.py:
--   ledger (number, ts, acknowledged)         one row a message sent
--   ledger_series (number, key, device, metric)   the readings a message with that number carries; key: one a (device, metric)
-- :first and :last bound the ledger's times, so that partitions outside are not read.
-- Stored rows are matched by names, not by series id, and counted, not assumed unique: this is the audit.
WITH wanted AS (
    SELECT key, ts, bool_or(acknowledged) AS acknowledged
    FROM ledger JOIN ledger_series USING (number)
    GROUP BY key, ts
), known AS (
    SELECT DISTINCT ledger_series.key, series.id AS series_id
    FROM ledger_series
    JOIN devices ON devices.name = ledger_series.device
    JOIN series ON series.device_id = devices.id AND series.metric = ledger_series.metric
), stored AS (
    SELECT key, ts, count(*) AS copies
    FROM (
        SELECT series_id, ts FROM readings WHERE ts BETWEEN :first AND :last
        UNION ALL
        SELECT series_id, ts FROM readings_text WHERE ts BETWEEN :first AND :last
    ) AS rows JOIN known USING (series_id)
    GROUP BY key, ts
)
SELECT wanted.acknowledged, coalesce(stored.copies, 0) AS copies, count(*) AS readings
FROM wanted LEFT JOIN stored USING (key, ts)
GROUP BY 1, 2
