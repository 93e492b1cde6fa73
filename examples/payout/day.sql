-- day.sql - the loop of a day: close it, load the bank's file, compare, let the
-- file settle what nobody knew, and hand the rest to a person
--
--	psql -v day=2018-11-26 -f day.sql <FILE
--
-- FILE is what bank.py writes: a line of JSON for each order that it carried out
-- or rejected.  Every step may be repeated, and the whole of it, too; with a
-- corrected file it goes on from what the first one left.
\set ON_ERROR_STOP on
\set QUIET on

-- 1. Nothing is sent on this day any more.
INSERT INTO payout_day (day) VALUES (:'day') ON CONFLICT DO NOTHING;
UPDATE payout_day SET status = 'closed' WHERE day = :'day' AND status = 'open';

-- 2. The file is read once: its checksum is the key.  It is all there, or it is
-- not there.
BEGIN;
CREATE TEMP TABLE incoming (n integer GENERATED ALWAYS AS IDENTITY, line text NOT NULL) ON COMMIT DROP;
\copy incoming (line) FROM pstdin WITH (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x03')
CREATE TEMP TABLE incoming_line ON COMMIT DROP AS
    SELECT n, line, j->>'serial' AS serial, j->>'payee' AS payee, (j->>'amount')::money_micro AS amount, j->>'result' AS code
    FROM incoming, LATERAL (SELECT line::jsonb) l (j);
SELECT c.granted, c.outcome, f.lines, f.total
FROM (SELECT encode(sha256(convert_to(coalesce(string_agg(line, E'\n' ORDER BY n), ''), 'UTF8')), 'hex') AS checksum,
             count(*) AS lines, coalesce(sum(amount), '0') AS total FROM incoming_line) f,
     LATERAL idem.claim('bank file', f.checksum, jsonb_build_object('day', :'day', 'lines', f.lines, 'total', f.total::numeric)) c \gset
\if :granted
INSERT INTO bank_file (day, version, count, total)
    SELECT :'day', 1 + coalesce(max(version), 0), :lines, :'total' FROM bank_file WHERE day = :'day'
    RETURNING id AS file \gset
INSERT INTO bank_line (file, line, serial, payee, amount, code) SELECT :file, n, serial, payee, amount, code FROM incoming_line;
UPDATE bank_file SET status = 'complete' WHERE id = :file;
\endif
COMMIT;
\echo the file: :outcome, :lines lines

-- 3. Compare.
SELECT kind, keys, ours, theirs, open, detail FROM idem.reconcile('payout day', :'day');

-- 4. The file says what became of payouts of which nobody knew: its line is the
-- answer, and what is not in a complete file did not happen: it is sent again, on
-- the next day.
CALL settle_by_file(:'day');
SELECT status, count(*) FROM payout WHERE day = :'day' GROUP BY status ORDER BY status;

-- 5. Every day that is not at its end, once more.
SELECT d.day, r.kind, r.keys, r.open
FROM (SELECT day FROM idem.reconciled WHERE rule = 'payout day' AND (day = :'day' OR problem IS NOT NULL OR again_at < now())
      UNION SELECT day FROM idem.differences WHERE rule = 'payout day' AND state IN ('open', 'investigating')) d,
     LATERAL idem.reconcile('payout day', d.day) r
ORDER BY d.day, r.kind = 'matched' DESC, r.kind;

-- 6. The rest is a person's.
INSERT INTO desk (difference, day, what)
    SELECT id, day, format('%s of %s: ours %s, theirs %s', kind, key, coalesce(ours::text, 'nothing'), coalesce(theirs::text, 'nothing'))
    FROM idem.differences WHERE rule = 'payout day' AND state = 'open'
    ON CONFLICT DO NOTHING;
SELECT k.what FROM desk k JOIN idem.differences d ON d.id = k.difference WHERE d.state = 'open' ORDER BY k.what COLLATE "C";
