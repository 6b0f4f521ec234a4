-- What became of each reading of the ledgers, as temporary tables for counts.sql and examples.sql.
-- Needs the temporary tables that device_sim/verify/database.py fills:
--   ledger_number, ledger_text (code, ts, value)    a row a reading sent; code = key * 8 + 4 (untimed) + acknowledgement
--   ledger_series (key, device, metric)             one row a series sent
--   ledger_device (name, first, last)               every device that sent anything, and the times its rows may have
-- Stored rows are matched by names, not by series id, and counted, not assumed unique: this is the audit.

CREATE TEMPORARY VIEW sent AS
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

-- One row an identity, sent or stored or both, in one pass. It collided when it was sent with more than one value.
-- `fits`: the value that is stored is the one that was sent; only meant where there is one of each.
CREATE TEMPORARY TABLE met AS
SELECT key, ts, acknowledged, sends, copies, low AS value, low_words AS words,
    low IS DISTINCT FROM high OR low_words IS DISTINCT FROM high_words OR (low IS NOT NULL AND low_words IS NOT NULL) AS collided,
    coalesce(low = stored_value, low_words = stored_words, false) AS fits,
    coalesce(stored_words, stored_value::text) AS example
FROM (
    SELECT key, ts, max(acknowledged) AS acknowledged, count(acknowledged) AS sends, count(*) - count(acknowledged) AS copies,
        min(sent_value) AS low, max(sent_value) AS high, min(sent_words) AS low_words, max(sent_words) AS high_words,
        min(value) AS stored_value, min(words) AS stored_words
    FROM (
        SELECT key, ts, acknowledged, value AS sent_value, words COLLATE "C" AS sent_words, NULL::float8 AS value,
            NULL::text COLLATE "C" AS words
        FROM sent WHERE timed
        UNION ALL
        SELECT key, ts, NULL, NULL, NULL, value, words COLLATE "C" FROM stored
    ) AS both_sides
    GROUP BY key, ts
) AS identities;

-- Where an identity collided or is stored more than once, each row has to be looked at by itself.
CREATE TEMPORARY TABLE odd AS
SELECT stored.key, stored.ts, count(*) AS wrong
FROM stored JOIN met USING (key, ts)
WHERE met.sends > 0 AND (met.collided OR met.copies > 1) AND NOT EXISTS (
    SELECT FROM sent
    WHERE sent.timed AND sent.key = stored.key AND sent.ts = stored.ts
        AND (sent.value = stored.value OR sent.words = stored.words)
)
GROUP BY stored.key, stored.ts;

CREATE TEMPORARY VIEW timed AS
SELECT met.*, CASE WHEN collided OR copies > 1 THEN coalesce(odd.wrong, 0) WHEN copies = 1 AND NOT fits THEN 1 ELSE 0 END AS wrong
FROM met LEFT JOIN odd USING (key, ts)
WHERE met.sends > 0;

-- What was sent without a device time, and what is left to match it: a row a (series, value).
CREATE TEMPORARY TABLE untimed AS
WITH sends AS (
    SELECT key, value, words, count(*) AS sends, count(*) FILTER (WHERE acknowledged = 1) AS pubacks,
        count(*) FILTER (WHERE acknowledged = 2) AS receipts
    FROM sent WHERE NOT timed GROUP BY key, value, words
), others AS (
    SELECT stored.key, stored.value, stored.words, count(*) AS rows, min(ts) AS ts
    FROM stored JOIN met USING (key, ts)
    WHERE met.sends = 0
    GROUP BY stored.key, stored.value, stored.words
)
SELECT coalesce(sends.key, others.key) AS key, coalesce(sends.value, others.value) AS value,
    coalesce(sends.words, others.words) AS words, others.ts, coalesce(sends.sends, 0) AS sends,
    coalesce(sends.pubacks, 0) AS pubacks, coalesce(sends.receipts, 0) AS receipts, coalesce(others.rows, 0) AS rows
FROM sends FULL JOIN others
    ON (sends.key, coalesce(sends.value::text, 'w' || sends.words)) = (others.key, coalesce(others.value::text, 'w' || others.words))
