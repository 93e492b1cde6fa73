-- A day of :payouts payouts, and the bank's book of it.  Of ten payouts one ends
-- without an answer, of which one in three was paid and one rejected; one in
-- thirty is rejected.
CREATE SCHEMA day;
CREATE SEQUENCE day.turn;
INSERT INTO payout_day VALUES ('2018-11-26');
INSERT INTO payout (id, payee, amount, day)
    SELECT 'p' || i, 'payee ' || i % 97, (1 + i::bigint * 7919 % 1000000)::numeric / 100, '2018-11-26' FROM generate_series(1, :payouts) i;
CREATE TABLE day.book (serial text, payee text, amount numeric, result text);
CREATE INDEX ON day.book (serial);

-- What the bank does with a payout that was sent, and what it says
CREATE FUNCTION day.pay(n bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    fate   text := CASE WHEN n % 10 = 7 THEN CASE n % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'rejected' END
                        WHEN n % 30 = 3 THEN 'rejected' ELSE 'paid' END;
    p      payout;
    answer jsonb;
    c      text;
BEGIN
    SELECT * INTO p FROM payout WHERE id = 'p' || n;
    IF fate IS NOT NULL THEN
        INSERT INTO day.book VALUES (p.id, p.payee, p.amount::numeric, fate);
    END IF;
    IF n % 10 <> 7 THEN
        answer := jsonb_build_object('code', fate, 'serial', p.id, 'payee', p.payee, 'amount', p.amount::numeric);
    END IF;
    SELECT state INTO c FROM idem.complete('payout', p.id, 1, answer => answer);
    IF c IN ('succeeded', 'failed') THEN
        UPDATE payout SET status = c WHERE id = p.id;
    END IF;
END $$;

-- What does not agree: payouts by number, those ending in 1 were answered
CREATE TABLE day.planted (serial text, kind text);
CREATE FUNCTION day.plant() RETURNS void LANGUAGE sql AS $$
    INSERT INTO day.planted
        SELECT 'p' || n, (ARRAY['amount', 'fields', 'duplicate_theirs', 'missing_theirs'])[1 + n / 10 % 4]
        FROM generate_series(1, (SELECT count(*)::int FROM payout), 1) n WHERE n % 10 = 1 AND n % 97 < 3
        UNION ALL SELECT 'x' || n, 'missing_ours' FROM generate_series(1, 20) n;
    UPDATE day.book b SET amount = b.amount + 0.01 FROM day.planted p WHERE p.serial = b.serial AND p.kind = 'amount';
    UPDATE day.book b SET payee = 'mallory' FROM day.planted p WHERE p.serial = b.serial AND p.kind = 'fields';
    INSERT INTO day.book SELECT b.* FROM day.book b JOIN day.planted p ON p.serial = b.serial AND p.kind = 'duplicate_theirs';
    DELETE FROM day.book b USING day.planted p WHERE p.serial = b.serial AND p.kind = 'missing_theirs';
    INSERT INTO day.book SELECT serial, 'nobody', 1, 'paid' FROM day.planted WHERE kind = 'missing_ours';
    INSERT INTO day.book SELECT NULL, 'bank', 0.50, 'paid' FROM generate_series(1, 30);
$$;
CREATE VIEW day.file AS
    SELECT jsonb_build_object('serial', serial, 'payee', payee, 'amount', amount, 'result', result)::text AS line FROM day.book ORDER BY serial, ctid;

-- Every planted difference is open, once, and nothing else is
CREATE FUNCTION day.judge(run text) RETURNS void LANGUAGE sql AS $$
    WITH open AS (SELECT key->>'serial' AS serial, kind FROM idem.difference WHERE rule = 'payout day' AND closed_at IS NULL AND kind <> 'unidentified')
    INSERT INTO data.answer
        SELECT 'payouts, ' || run || ' run: planted and found', (SELECT count(*) || ', 0 besides, 0 twice' FROM day.planted),
               format('%s, %s besides, %s twice', (SELECT count(*) FROM (SELECT * FROM open INTERSECT TABLE day.planted) i),
                      (SELECT count(*) FROM (SELECT * FROM open EXCEPT TABLE day.planted) e), (SELECT count(*) - count(DISTINCT serial) FROM open))
        UNION ALL
        SELECT 'payouts, ' || run || ' run: charges', '30', count(*)::text FROM idem.difference WHERE rule = 'payout day' AND closed_at IS NULL AND kind = 'unidentified'
        UNION ALL
        SELECT 'payouts, ' || run || ' run: still unknown', '0', count(*)::text FROM payout WHERE status = 'sent'
        UNION ALL
        SELECT 'payouts, ' || run || ' run: succeeded and not in the book', (SELECT count(*)::text FROM day.planted WHERE kind = 'missing_theirs'),
               count(*)::text FROM payout p WHERE status = 'succeeded' AND NOT EXISTS (SELECT FROM day.book b WHERE b.serial = p.id AND b.result = 'paid')
        UNION ALL
        SELECT 'payouts, ' || run || ' run: differences there ever were', (SELECT count(*) + 30 FROM day.planted)::text || ' and those that healed',
               (count(*) FILTER (WHERE state <> 'healed' OR key->>'serial' IN (SELECT serial FROM day.planted)))::text || ' and those that healed'
        FROM idem.difference WHERE rule = 'payout day' AND n = 1
$$;

-- The bank corrects its own mistakes; what it paid to nobody stays, and so do its charges
CREATE FUNCTION day.mend() RETURNS void LANGUAGE sql AS $$
    UPDATE day.book b SET amount = p.amount::numeric, payee = p.payee FROM payout p WHERE p.id = b.serial;
    DELETE FROM day.book b USING day.planted p WHERE p.serial = b.serial AND p.kind = 'duplicate_theirs'
        AND b.ctid <> (SELECT min(m.ctid) FROM day.book m WHERE m.serial = b.serial);
    INSERT INTO day.book SELECT o.id, o.payee, o.amount::numeric, 'paid' FROM day.planted p JOIN payout o ON o.id = p.serial WHERE p.kind = 'missing_theirs';
    DELETE FROM day.planted WHERE kind <> 'missing_ours';
$$;
