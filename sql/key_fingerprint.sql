-- What of a request must agree on a repeat: the declared members, compared by
-- type and value. Wound 12: what a number may cost.
SELECT idem.create_scope('claim fp', 'inside', '{v}');
SELECT idem.create_scope('claim two', 'inside', '{payer,amount}');
SELECT idem.create_scope('claim all', 'inside', '{*}');
SELECT idem.create_scope('claim none', 'inside', '{}');
-- claims in order the same key with v as first given and as repeated
CREATE SEQUENCE claim_key;
CREATE FUNCTION claim_agree(first jsonb, repeat jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    k text := 'k' || nextval('claim_key');
BEGIN
    PERFORM idem.claim('claim fp', k, jsonb_build_object('v', first));
    RETURN concat_ws(' ', outcome, mismatch) FROM idem.claim('claim fp', k, jsonb_build_object('v', repeat));
END $$;

-- Numbers compare as numbers, string or not. (C 36)
SELECT a, b, claim_agree(a::jsonb, b::jsonb) FROM (VALUES
    (1, '88', '88.00'), (2, '88', '"88.0"'), (3, '"88.0"', '88.000'), (4, '88', '88.01'), (5, '0', '"-0"'),
    (6, '-0.0', '0'), (7, '"-0.00"', '"0"'), (8, '-1.50', '"-1.5"'), (9, '1', '-1'), (10, '100', '"1e2"'),
    (11, '100', '1e2'), (12, '1e-7', '0.0000001'), (13, '"0012"', '12'), (14, '"0012"', '"12"'),
    (15, '"+1"', '1'), (16, '" 1"', '1'), (17, '"1."', '1'), (18, '".5"', '0.5'), (19, '"-"', '"--"'),
    (20, '""', '0'), (21, '10', '1'), (22, '"100"', '1'), (23, '123456789012345678901234567890.10', '"123456789012345678901234567890.1"'),
    (24, '9007199254740993', '9007199254740992'), (25, '"1,000"', '1000'), (26, '"١"', '1')
    ) v (n, a, b) ORDER BY n;

-- Types do not mix; null, empty and missing are three things. (C 32)
SELECT a, b, claim_agree(a::jsonb, b::jsonb) FROM (VALUES
    (1, 'null', 'null'), (2, 'null', '"null"'), (3, 'null', '""'), (4, 'null', '0'), (5, 'null', '[]'), (6, 'true', '"true"'),
    (7, 'true', 'true'), (8, 'true', 'false'), (9, 'true', '1'), (10, '"a"', '"A"'), (11, '"a"', '"a "'), (12, '[]', '{}'),
    (13, '"n"', 'null'), (14, '"t"', 'true')
    ) v (n, a, b) ORDER BY n;

-- Objects whatever the order of their members, arrays in order, and nothing
-- flows from one into the next.
SELECT a, b, claim_agree(a::jsonb, b::jsonb) FROM (VALUES
    (1, '{"a": 1, "bb": [2, "3.0"]}', '{"bb": ["2", 3], "a": 1.0}'), (2, '[1, 2]', '[2, 1]'), (3, '[1, 23]', '[12, 3]'),
    (4, '["ab", "c"]', '["a", "bc"]'), (5, '[[1], 2]', '[[1, 2]]'), (6, '[[], []]', '[[[]]]'), (7, '{"a": {"b": 1}}', '{"a": {"c": 1}}'),
    (8, '{"a": "b"}', '["a", "b"]'), (9, '{"a": null}', '{}'), (10, '[1]', '1'), (11, '[1]', '["1"]'), (12, '[[1]]', '[1]'),
    (13, '{"1": 1}', '{"1.0": 1}'), (14, '{"a": 1, "a": 2}', '{"a": 2}')
    ) v (n, a, b) ORDER BY n;

-- Only declared members enter: envelopes, one-time tokens and traces may
-- change. (C 33)
SELECT outcome FROM idem.claim('claim two', 'k1', '{"payer": "p", "amount": 1, "nonce": "x", "sent_at": "09:00"}');
SELECT outcome FROM idem.claim('claim two', 'k1', '{"payer": "p", "amount": 1, "nonce": "y"}');
SELECT outcome, mismatch FROM idem.claim('claim two', 'k1', '{"payer": "q", "amount": 1, "nonce": "x"}');
SELECT outcome, mismatch FROM idem.claim('claim two', 'k1', '{"payer": "q", "amount": 2}');

-- A declared member that is missing is an error, whether the key is new or
-- not; one that is null is not missing.
SELECT idem.claim('claim two', 'k1', '{"payer": "p"}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.claim('claim two', 'k2', '{"amount": 1}');
SELECT idem.claim('claim two', 'k2', '{"Payer": "p", "amount": 1}');
SELECT idem.claim('claim two', 'k2', '{}');
SELECT idem.claim('claim two', 'k2');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.claim('claim two', 'k2', 'null');
SELECT idem.claim('claim two', 'k2', '["payer", "amount"]');
SELECT idem.claim('claim two', 'k2', '"payer"');
SELECT outcome FROM idem.claim('claim two', 'k2', '{"payer": null, "amount": 1}');
SELECT outcome, mismatch FROM idem.claim('claim two', 'k2', '{"payer": "", "amount": 1}');

-- {*}: every member, those that only one request has among them.
SELECT outcome FROM idem.claim('claim all', 'k1', '{"b": 2, "a": 1.0, "": 0, "long name": [true]}');
SELECT outcome FROM idem.claim('claim all', 'k1', '{"a": 1, "": "0", "long name": [true], "b": 2.00}');
SELECT r, outcome, mismatch
    FROM (VALUES (1, '{}'::jsonb), (2, '{"b": 2, "a": 1, "": 0}'), (3, '{"b": 2, "a": 1, "": 0, "long name": [true], "c": null}'),
                 (4, '{"B": 2, "a": 1, "": 0, "long name": [true]}'), (5, '{"b": 2, "a": 1, "": 1, "long name": [1]}')) v (n, r),
         idem.claim('claim all', 'k1', r) ORDER BY n;
SELECT outcome FROM idem.claim('claim all', 'k2', '{}');
SELECT outcome, mismatch FROM idem.claim('claim all', 'k2', '{"a": null}');
SELECT idem.claim('claim all', 'k3');
SELECT idem.claim('claim all', 'k3', '[]');

-- It is bounded: 2000 bytes, 17 a member and its name.
SELECT outcome FROM idem.claim('claim all', 'k4',
    (SELECT jsonb_object_agg(i, i) FROM generate_series(100, 199) i));
SELECT octet_length(fingerprint) FROM idem.anchor
    WHERE key = 'k4' AND scope = (SELECT id FROM idem.scope WHERE name = 'claim all');
SELECT outcome FROM idem.claim('claim all', 'k4',
    (SELECT jsonb_object_agg(i, i::text || '.0') FROM generate_series(100, 199) i));
SELECT outcome, array_length(mismatch, 1) FROM idem.claim('claim all', 'k4',
    (SELECT jsonb_object_agg(i, -i) FROM generate_series(100, 199) i));
SELECT idem.claim('claim all', 'k5', (SELECT jsonb_object_agg(i, i) FROM generate_series(100, 200) i));
\echo :LAST_ERROR_SQLSTATE
SELECT outcome FROM idem.claim('claim all', 'k5', jsonb_build_object(repeat('n', 255), 1));
SELECT idem.claim('claim all', 'k6', jsonb_build_object(repeat('n', 256), 1));
\echo :LAST_ERROR_SQLSTATE
-- The values are not: a megabyte is 16 bytes.
SELECT outcome FROM idem.claim('claim all', 'k7', jsonb_build_object('v', repeat('x', 1000000)));
SELECT outcome, mismatch FROM idem.claim('claim all', 'k7', jsonb_build_object('v', repeat('x', 999999) || 'y'));

-- {}: nothing is compared, and nothing kept.
SELECT outcome FROM idem.claim('claim none', 'k1', '{"a": 1}');
SELECT outcome FROM idem.claim('claim none', 'k1', '[2]');
SELECT outcome FROM idem.claim('claim none', 'k1');
SELECT fingerprint FROM idem.anchor WHERE scope = (SELECT id FROM idem.scope WHERE name = 'claim none');

-- Compared before anything else, also with an own claim that is not
-- completed, and with one that is. (C 30, C 31)
BEGIN;
SELECT outcome FROM idem.claim('claim fp', 'own', '{"v": 1}');
SELECT outcome, mismatch, state FROM idem.claim('claim fp', 'own', '{"v": 2}');
SELECT outcome FROM idem.complete('claim fp', 'own', '{"r": 1}');
SELECT outcome, mismatch, response FROM idem.claim('claim fp', 'own', '{"v": 2}');
SELECT outcome, mismatch, response FROM idem.claim('claim fp', 'own', '{"v": 1.0}');
COMMIT;
SELECT outcome, mismatch, response FROM idem.claim('claim fp', 'own', '{"v": 1.0}');

-- What is stored, byte by byte: the format is for good.
SELECT encode(substr(fingerprint, 1, 2), 'escape') AS head, octet_length(fingerprint) AS bytes,
       substr(fingerprint, 3) = substr(sha256('\x23' || int4send(1) || '1'), 1, 16) AS documented
    FROM idem.anchor WHERE key = 'own';
-- Also of values of every length, around the edges of the blocks that SHA-256
-- takes.
SELECT count(*) AS granted FROM generate_series(0, 300) n,
    idem.claim('claim fp', 'length-' || n, jsonb_build_object('v', repeat('~', n))) c WHERE c.granted;
SELECT count(*) AS values, bool_and(substr(a.fingerprint, 3) = substr(sha256('\x73' || int4send(n) || repeat('~', n)::bytea), 1, 16)) AS documented
    FROM generate_series(0, 300) n, idem.anchor a WHERE a.key = 'length-' || n;
-- A stored fingerprint that is damaged is an error, never agreement.
BEGIN;
UPDATE idem.anchor SET fingerprint = substr(fingerprint, 1, 10) WHERE key = 'own';
SELECT idem.claim('claim fp', 'own', '{"v": 1}');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- A number may stand for many more digits than it is sent with (wound 12):
-- 70 KB of these would be written out as a gigabyte.  Not so a string.
SELECT idem.create_scope('claim bomb', 'inside', '{a}');
SELECT idem.create_scope('claim bomb all', 'inside', '{*}');
SELECT idem.claim('claim bomb', 'k', ('{"a":[' || repeat('1e131071,', 7999) || '1e131071]}')::jsonb);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.claim('claim bomb all', 'k', ('{"b":{"c":[' || repeat('1e-16383,', 7999) || '1]}}')::jsonb);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.claim('claim bomb', 'k', '{"a":-1e1000}');
SELECT outcome FROM idem.claim('claim bomb', 'k', '{"a":1e999}');
SELECT outcome FROM idem.claim('claim bomb', 'k', jsonb_build_object('a', '1' || repeat('0', 999)));
SELECT outcome FROM idem.claim('claim bomb', 'long', jsonb_build_object('a', repeat('9', 5000)));

DROP FUNCTION claim_agree;
DROP SEQUENCE claim_key;
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.scope WHERE name LIKE 'claim %';
