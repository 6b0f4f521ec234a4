-- What became of each reading of the ledgers, as temporary tables for counts.sql and examples.sql.
-- Needs the temporary tables that device_sim/verify/database.py fills:
--   ledger_number, ledger_text (code, ts, value)    a row a reading sent; code = key * 8 + 4 (untimed) + acknowledgement
--   ledger_series (key, device, metric)             one row a series sent
--   ledger_device (name, first, last)               every device that sent anything, and the times its rows may have
-- Stored rows are matched by names, not by series id, and counted, not assumed unique: this is the audit.

CREATE TEMPORARY TABLE sent AS
SELECT code >> 3 AS key, ts, code & 4 = 0 AS timed, (code & 3)::smallint AS acknowledged, value, NULL::text AS words
FROM ledger_number
UNION ALL
SELECT code >> 3, ts, code & 4 = 0, (code & 3)::smallint, NULL, value FROM ledger_text;

-- Series that nobody sent have a key below 0.
CREATE TEMPORARY TABLE stored AS
SELECT coalesce(ledger_series.key, -series.id) AS key, found.ts, found.value, found.words
FROM (
    SELECT series_id, ts, value, NULL::text AS words FROM readings
    WHERE ts BETWEEN (SELECT min(first) FROM ledger_device) AND (SELECT max(last) FROM ledger_device)
    UNION ALL
    SELECT series_id, ts, NULL, value FROM readings_text
    WHERE ts BETWEEN (SELECT min(first) FROM ledger_device) AND (SELECT max(last) FROM ledger_device)
) AS found
JOIN series ON series.id = found.series_id
JOIN devices ON devices.id = series.device_id
JOIN ledger_device ON ledger_device.name = devices.name AND found.ts BETWEEN ledger_device.first AND ledger_device.last
LEFT JOIN ledger_series ON ledger_series.device = devices.name AND ledger_series.metric = series.metric;

-- One row an identity. It collided when it was sent with more than one value.
CREATE TEMPORARY TABLE wanted AS
SELECT key, ts, max(acknowledged) AS acknowledged, min(value) AS value, min(words) AS words,
    (min(value) IS DISTINCT FROM max(value)) OR (min(words) IS DISTINCT FROM max(words))
        OR (count(value) > 0 AND count(words) > 0) AS collided
FROM sent WHERE timed GROUP BY key, ts;

ANALYZE stored;

ANALYZE wanted;

CREATE TEMPORARY TABLE matched AS
SELECT key, ts, count(*) AS copies, count(*) FILTER (WHERE NOT (
    coalesce(stored.value = wanted.value, stored.words = wanted.words, false)
    OR wanted.collided AND EXISTS (
        SELECT FROM sent
        WHERE sent.timed AND sent.key = stored.key AND sent.ts = stored.ts
            AND (sent.value = stored.value OR sent.words = stored.words)
    )
)) AS wrong, min(coalesce(stored.words, stored.value::text)) AS example
FROM stored JOIN wanted USING (key, ts) GROUP BY key, ts;

-- What was sent without a device time, and what is left to match it: a row a (series, value).
CREATE TEMPORARY TABLE untimed AS
WITH sends AS (
    SELECT key, value, words, count(*) AS sends, count(*) FILTER (WHERE acknowledged = 1) AS pubacks,
        count(*) FILTER (WHERE acknowledged = 2) AS receipts
    FROM sent WHERE NOT timed GROUP BY key, value, words
), others AS (
    SELECT key, value, words, count(*) AS rows, min(ts) AS ts
    FROM stored
    WHERE NOT EXISTS (SELECT FROM wanted WHERE wanted.key = stored.key AND wanted.ts = stored.ts)
    GROUP BY key, value, words
)
SELECT coalesce(sends.key, others.key) AS key, coalesce(sends.value, others.value) AS value,
    coalesce(sends.words, others.words) AS words, others.ts, coalesce(sends.sends, 0) AS sends,
    coalesce(sends.pubacks, 0) AS pubacks, coalesce(sends.receipts, 0) AS receipts, coalesce(others.rows, 0) AS rows
FROM sends FULL JOIN others
    ON (sends.key, coalesce(sends.value::text, 'w' || sends.words)) = (others.key, coalesce(others.value::text, 'w' || others.words))
