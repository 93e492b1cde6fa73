-- Which keys are accepted. A key is bytes, never trimmed, folded or
-- normalised: what could be mistaken for another key is refused, with 22I01,
-- before any row is touched.
SELECT idem.create_scope('claim ascii', 'inside', '{}');
SELECT idem.create_scope('claim any', 'inside', '{}', charset => 'any');
-- what becomes of a key in both scopes
CREATE FUNCTION claim_try(k text) RETURNS TABLE (ascii text, "any" text) LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        ascii := outcome FROM idem.claim('claim ascii', k);
    EXCEPTION WHEN SQLSTATE '22I01' THEN ascii := SQLERRM; END;
    BEGIN
        "any" := outcome FROM idem.claim('claim any', k);
    EXCEPTION WHEN SQLSTATE '22I01' THEN "any" := SQLERRM; END;
    RETURN NEXT;
END $$;

-- NULL, empty, too long: in bytes, and whatever the entropy. (C 57, C 59)
SELECT idem.claim('claim ascii', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.claim('claim any', '');
\echo :LAST_ERROR_SQLSTATE
SELECT what, t.* FROM (VALUES
    (1, 'null', NULL), (2, 'empty', ''), (3, '1 byte', 'x'), (4, '255 bytes', repeat('x', 255)),
    (5, '256 bytes', repeat('x', 256)), (6, '255 bytes of é', repeat('é', 127) || 'x'),
    (7, '256 bytes of é', repeat('é', 128)), (8, 'a megabyte', repeat('x', 1000000)),
    (9, 'random 255', substr((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 8) i), 1, 255))
    ) v (n, what, k), claim_try(k) t ORDER BY n;

-- Both ends of visible ASCII.
SELECT i, t.* FROM unnest('{1,9,10,31,32,33,126,127}'::int[]) i, claim_try(chr(i)) t ORDER BY i;
SELECT count(*) AS visible, count(*) FILTER (WHERE t.ascii IN ('granted', 'replayed')) AS accepted
    FROM generate_series(33, 126) i, claim_try(chr(i)) t;

-- Blanks inside are text, blanks at an end are not. (C 36)
SELECT quote_literal(k) AS key, t.* FROM (VALUES
    (1, 'a b'), (2, ' ab'), (3, 'ab '), (4, ' '), (5, E'ab\n'), (6, E'a\tb'), (7, E'a\u0085b'), (8, E'a\u00a0b')
    ) v (n, k), claim_try(k) t ORDER BY n;
SELECT to_hex(i) AS blank, t."any" AS before, a."any" AS after
    FROM unnest(ARRAY[160, 5760, 8192, 8202, 8203, 8232, 8233, 8239, 8287, 12288, 65279]) i,
         claim_try(chr(i) || 'k') t, claim_try('k' || chr(i)) a;
-- not blank: the neighbours
SELECT to_hex(i) AS code, t."any" AS alone
    FROM unnest(ARRAY[161, 5761, 8191, 8204, 8234, 12289, 65278, 128512]) i, claim_try(chr(i)) t;

-- Bytes decide: case, composition and look-alikes are different keys. (C 36)
SELECT k, octet_length(k) AS bytes, t."any" FROM unnest(ARRAY['key', 'KEY', U&'caf\00e9', U&'cafe\0301', U&'k\0435y', 'key']) WITH ORDINALITY u (k, n),
    claim_try(k) t ORDER BY n;
SELECT outcome FROM idem.lookup('claim any', U&'caf\00e9');
SELECT outcome FROM idem.lookup('claim any', 'CAFE');

-- Keys that must not meet, although their parts glued together do, or their
-- numbers are equal. (C 58)
SELECT k, outcome FROM unnest(ARRAY['1:23', '12:3', '0012', '12', '12.0', '1e1', '\x31', 'k%sk', 'k''', 'k"k']) WITH ORDINALITY u (k, n),
    idem.claim('claim ascii', k) ORDER BY n;

-- A key of every length, so that a digest is made of one block, two, three and
-- more, and of their edges.
SELECT count(*) FROM generate_series(1, 255) n, idem.claim('claim ascii', repeat('~', n)) c WHERE c.granted;

-- CRC-32C, bit by bit.
CREATE FUNCTION claim_crc32c(data bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    crc bigint := 4294967295;
BEGIN
    FOR i IN 0 .. length(data) - 1 LOOP
        crc := crc # get_byte(data, i);
        FOR bit IN 1 .. 8 LOOP
            crc := (crc >> 1) # (2197175160 * (crc & 1));
        END LOOP;
    END LOOP;
    RETURN substr(int8send(crc # 4294967295), 5);
END;
$$;
SELECT claim_crc32c('123456789');

-- Every row holds its own key.
SELECT count(*) AS anchors, count(DISTINCT digest) AS digests,
       bool_and(digest = encode(claim_crc32c(int4send(scope) || substr(convert_to(key, 'UTF8'), 1, greatest(octet_length(key) - 3, 0))) ||
                                substr(sha256(int4send(scope) || convert_to(key, 'UTF8')), 1, 12), 'hex')::uuid) AS digest_as_documented,
       bool_or(octet_length(key) = 255) AS longest
    FROM idem.anchor WHERE scope IN (SELECT id FROM idem.scope WHERE name IN ('claim ascii', 'claim any'));

-- Keys that are counted up lie beside each other, each thousand elsewhere.
SELECT count(*) FROM generate_series(1000, 2999) n, idem.claim('claim ascii', 'message-' || n) c WHERE c.granted;
SELECT left(key, 9) AS thousand, count(*), count(DISTINCT substr(digest::text, 1, 8)) AS places
    FROM idem.anchor WHERE key LIKE 'message-%' GROUP BY 1 ORDER BY 1;

-- complete and lookup judge keys in the same way.
SELECT idem.complete('claim ascii', ' k', '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.lookup('claim ascii', NULL);
\echo :LAST_ERROR_SQLSTATE

DROP FUNCTION claim_try, claim_crc32c;
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.scope WHERE name LIKE 'claim %';

-- One key of several parts: before each its length, so that no two lists meet.
-- (C 58)
SELECT idem.key('M001', '20180718', '000001'), idem.key('1', '23'), idem.key('12', '3'), idem.key('x');
SELECT idem.key('1', '23') <> idem.key('12', '3') AS apart, idem.key('a,1:b') <> idem.key('a', 'b') AS quoted,
       idem.key('1:1,1:1') AS nested, idem.key(VARIADIC '{a,b}') = idem.key('a', 'b') AS list, idem.key('é', 'e') AS bytes;
SELECT count(DISTINCT idem.key(VARIADIC p)) = count(*) AS all_different, count(*)
    FROM (SELECT array_remove(ARRAY[substr('1:1,2', 1, i), substr('1:1,2', i + 1, j), substr('1:1,2', i + j + 1)], '') AS p
          FROM generate_series(1, 5) i, generate_series(0, 4) j GROUP BY 1) x;
SELECT length(idem.key(VARIADIC array_fill('x'::text, '{63}'))) AS longest, length(idem.key(repeat('x', 251))) AS single;
SELECT idem.key('a', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.key('a', '');
SELECT idem.key('a ', 'b');
SELECT idem.key('a', E'b\n');
SELECT idem.key(repeat('x', 252));
SELECT idem.key('a', repeat('x', 256));
SELECT idem.key(VARIADIC '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.key(VARIADIC NULL);
SELECT idem.key(VARIADIC '{{a,b},{c,d}}');
\echo :LAST_ERROR_SQLSTATE

-- A scope may ask for a number of parts: keys glued by hand are no such keys.
SELECT idem.create_scope('claim parts', 'inside', '{}', parts => 3);
SELECT idem.create_scope('claim parts any', 'inside', '{}', parts => 2, charset => 'any');
SELECT outcome FROM idem.claim('claim parts', idem.key('M001', '20180718', '000001'));
CREATE FUNCTION claim_parts(scope text, k text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN RETURN outcome FROM idem.claim(scope, k); EXCEPTION WHEN SQLSTATE '22I01' THEN RETURN SQLERRM; END $$;
SELECT k, claim_parts('claim parts', k) FROM unnest(ARRAY[idem.key('a', 'b'), idem.key('a', 'b', 'c', 'd'), idem.key('a', 'b', 'c'),
    'M001-20180718-000001', '1:a,1:b,1:c,', '1:a,1:b,1:cc', '01:a,1:b,1:c', '1:a,1:b,2:c', '1:a;1:b;1:c', '0:,1:b,1:c',
    '1:a,1:b,999:c', '1:a,1:b,9999:c', '1a,1:b,1:c', ',1:a,1:b,1:c', '1:a,1:b,:c', '1:a,1:b,1', '1:a,1:b,-1:c']) WITH ORDINALITY u (k, n) ORDER BY n;
SELECT k, claim_parts('claim parts any', k) FROM unnest(ARRAY[idem.key('é', 'ü x'), '2:é,1:x', '1:é,2:x', '2:x ,1:y', '1:x,2: y']) WITH ORDINALITY u (k, n) ORDER BY n;
DROP FUNCTION claim_parts;
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.scope WHERE name LIKE 'claim %';

-- Hostile keys: ten kilobytes of any kind, and bytes that are no text, are
-- refused before anything is touched; the server itself refuses the latter.
SELECT idem.create_scope('claim any', 'inside', '{}', charset => 'any');
SELECT idem.claim('claim any', repeat('a', 10240));
\echo :LAST_ERROR_SQLSTATE
SELECT idem.claim('claim any', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 320) i));
SELECT idem.claim('claim any', convert_from('\xc3', 'UTF8'));
\echo :LAST_ERROR_SQLSTATE
SELECT idem.claim('claim any', convert_from('\xeda080', 'UTF8'));
SELECT idem.claim('claim any', E'a\xc0\xaf');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.key(convert_from('\xff', 'UTF8'));
-- what SQL quotes, formats and escapes is a key like any other
SELECT k, outcome FROM unnest(ARRAY['''; DROP TABLE idem.anchor; --', '%s%n', '\x00', '$$', '{"a":1}', '<k>']) WITH ORDINALITY u (k, n),
    idem.claim('claim any', k) ORDER BY n;
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.scope WHERE name LIKE 'claim %';
