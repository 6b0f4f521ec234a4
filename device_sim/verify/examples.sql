-- A few of each finding, for a person to look at: device_sim/verify/judge.py's Example. $1: how many of each.
WITH findings AS (
    SELECT CASE WHEN copies = 0 THEN 'lost' WHEN wrong > 0 THEN 'altered' ELSE 'duplicate' END AS finding,
        key, ts, coalesce(words, value::text, '') AS sent, coalesce(example, '') AS stored
    FROM timed
    WHERE (copies = 0 AND acknowledged > 0) OR wrong > 0 OR copies > 1
    UNION ALL
    SELECT CASE WHEN sends = 0 THEN 'phantom' ELSE 'lost' END, key, CASE WHEN sends = 0 THEN ts END,
        CASE WHEN sends = 0 THEN '' ELSE coalesce(words, value::text) END,
        CASE WHEN sends = 0 THEN coalesce(words, value::text) ELSE '' END
    FROM untimed WHERE sends = 0 OR pubacks + receipts > rows
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY finding ORDER BY ts, key) AS number FROM findings
)
SELECT finding, coalesce(ledger_series.device, devices.name), coalesce(ledger_series.metric, series.metric),
    coalesce(to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ''), sent, stored
FROM numbered
LEFT JOIN ledger_series USING (key)
LEFT JOIN series ON series.id = -numbered.key AND numbered.key < 0
LEFT JOIN devices ON devices.id = series.device_id
WHERE number <= $1
ORDER BY finding, number
