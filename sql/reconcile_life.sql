--
-- reconcile: the life of a difference
--
CREATE SCHEMA reconcile_life;
SET search_path = reconcile_life;
SET datestyle = 'ISO';
CREATE TABLE ours (day date, serial text PRIMARY KEY, amount numeric);
CREATE TABLE theirs (LIKE ours INCLUDING ALL);
SELECT idem.create_reconciliation('life', 'ours', 'theirs', '{serial}');
CREATE FUNCTION run() RETURNS TABLE (kind text, keys bigint, open bigint) LANGUAGE sql
    AS $$ SELECT r.kind, r.keys, r.open FROM idem.reconcile('life', '2018-11-26') r $$;
CREATE VIEW life AS
    SELECT d.key->>'serial' AS serial, d.n, d.kind, d.ours, d.theirs, d.state, d.reason, d.gone_at IS NOT NULL AS gone,
           (SELECT p.n FROM idem.difference p WHERE p.id = d.previous) AS previous, d.last_seen > d.first_seen AS again
    FROM idem.difference d WHERE d.rule = 'life' ORDER BY 1, 2;
CREATE FUNCTION settle(serial text, state text, reason text) RETURNS void LANGUAGE sql AS $$
    SELECT idem.settle_difference(d.id, settle.state, settle.reason) FROM idem.difference d
    WHERE d.rule = 'life' AND d.key->>'serial' = settle.serial ORDER BY d.n DESC LIMIT 1 $$;
INSERT INTO ours SELECT '2018-11-26', 'po-' || i, 10 FROM generate_series(1, 8) i;

-- found, and found again
INSERT INTO theirs SELECT * FROM ours WHERE serial > 'po-5';
SELECT * FROM run();
SELECT * FROM run();
TABLE life;
-- a late line heals one; another turns it into another kind; the row stays the same
INSERT INTO theirs VALUES ('2018-11-26', 'po-1', 10), ('2018-11-26', 'po-2', 9);
SELECT * FROM run();
TABLE life;
-- the one that healed comes back: a new one, which names the old
DELETE FROM theirs WHERE serial = 'po-1';
SELECT * FROM run();
TABLE life;

-- What a person does
SELECT settle('po-1', 'investigating', 'asked the bank');
SELECT settle('po-1', 'investigating', 'the bank is looking');
SELECT settle('po-2', 'adjusted', 'booked the difference as a charge');
SELECT settle('po-3', 'explained', 'the bank shows it in a file of its own');
SELECT settle('po-4', 'written_off', 'not worth a letter');
SELECT * FROM run();
TABLE life;
-- po-2 was said to be adjusted and was not: it has come back.  What may differ
-- stays closed as long as it is as it was.
UPDATE ours SET amount = 9 WHERE serial = 'po-2';
UPDATE ours SET amount = 11 WHERE serial = 'po-3';
SELECT * FROM run();
TABLE life;
-- or as long as it does not go away
INSERT INTO theirs VALUES ('2018-11-26', 'po-4', 10);
SELECT * FROM run();
DELETE FROM theirs WHERE serial = 'po-4';
SELECT * FROM run();
TABLE life;
-- its history
SELECT d.key->>'serial' AS serial, d.n AS difference, l.n, l.state, l.kind, l.reason, l.role = session_user AS me
    FROM idem.difference_log l JOIN idem.difference d ON d.id = l.difference WHERE d.rule = 'life' ORDER BY 1, 2, 3;

-- What a person cannot do: leave an end, invent a state, give no reason, heal
SELECT id AS closed FROM idem.differences WHERE rule = 'life' AND state = 'explained' \gset
SELECT id AS open FROM idem.differences WHERE rule = 'life' AND state = 'open' AND key->>'serial' = 'po-4' \gset
\set VERBOSITY sqlstate
SELECT idem.settle_difference(:'closed', 'written_off', 'why');
SELECT idem.settle_difference(:'closed', 'investigating', 'why');
SELECT idem.settle_difference(:'open', 'open', 'why');
SELECT idem.settle_difference(:'open', 'healed', 'why');
SELECT idem.settle_difference(:'open', 'explained', NULL);
SELECT idem.settle_difference(:'open', 'explained', E' \t');
SELECT idem.settle_difference(:'open', NULL, 'why');
SELECT idem.settle_difference(NULL, 'explained', 'why');
SELECT idem.settle_difference('00000000-0000-0000-0000-000000000000', 'explained', 'why');
BEGIN READ ONLY;
SELECT idem.settle_difference(:'open', 'explained', 'why');
ROLLBACK;
-- and CHECKs hold for whoever writes the table
UPDATE idem.difference SET state = 'paid' WHERE id = :'open';
UPDATE idem.difference SET kind = 'small' WHERE id = :'open';
UPDATE idem.difference SET state = 'explained' WHERE id = :'open';
UPDATE idem.difference SET state = 'explained', closed_at = now() WHERE id = :'open';
UPDATE idem.difference SET state = 'explained', closed_at = now(), role = 'x', reason = ' ' WHERE id = :'open';
UPDATE idem.difference SET closed_at = NULL WHERE id = :'closed';
UPDATE idem.difference SET gone_at = now() WHERE id = :'open';
UPDATE idem.difference SET n = 1 WHERE id = :'open';
\set VERBOSITY default
SELECT idem.settle_difference(:'open', 'paid', 'why');

-- Nobody looked for a week
UPDATE idem.difference SET first_seen = first_seen - interval '8 days' WHERE id = :'open';
SELECT severity, regexp_replace(finding, 'since .*,', 'since ...,') AS finding FROM idem.doctor() WHERE object = 'reconciliation life';

-- An empty day heals all of it, and unidentified lines are found again by what they hold
TRUNCATE ours, theirs;
SELECT * FROM run();
SELECT state, count(*) FROM life GROUP BY 1 ORDER BY 1;
ALTER TABLE theirs DROP CONSTRAINT theirs_pkey;
ALTER TABLE theirs ALTER serial DROP NOT NULL;
INSERT INTO theirs SELECT '2018-11-26', NULL, 0.5 FROM generate_series(1, 3);
INSERT INTO theirs VALUES ('2018-11-26', NULL, 0.7);
SELECT * FROM run();
SELECT idem.settle_difference(id, 'explained', 'monthly charge') FROM idem.difference
    WHERE rule = 'life' AND kind = 'unidentified' AND line = 1;
SELECT * FROM run();
-- a charge more is one more, and one less is gone
INSERT INTO theirs VALUES ('2018-11-26', NULL, 0.50);
SELECT * FROM run();
DELETE FROM theirs WHERE amount = 0.7;
SELECT * FROM run();
SELECT key, line, theirs, state, gone_at IS NOT NULL AS gone FROM idem.difference WHERE rule = 'life' AND kind = 'unidentified' ORDER BY key::text, line, n;

SET client_min_messages = error;
DROP SCHEMA reconcile_life CASCADE;
DELETE FROM idem.reconciliation WHERE name = 'life';
DELETE FROM idem.reconciled WHERE rule = 'life';
DELETE FROM idem.reconciled_sum WHERE rule = 'life';
DELETE FROM idem.difference_log WHERE difference IN (SELECT id FROM idem.difference WHERE rule = 'life');
DELETE FROM idem.difference WHERE rule = 'life';
