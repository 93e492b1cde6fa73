--
-- Serials: the number under which a provider knows an attempt.
--
SET client_min_messages = warning;
SELECT count(*) AS codes FROM idem.define_return_codes('serial/pay', $$
| code | meaning   |
| ---- | --------- |
| 00   | succeeded |
$$);
-- What no number could be made of.
CREATE FUNCTION serial_try(serial text, serial_per text, serial_max int DEFAULT NULL, serial_charset text DEFAULT NULL, first_serial bigint DEFAULT NULL, calendar text DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    d text;
BEGIN
    PERFORM idem.create_channel('serial try', send => 'serial/pay', serial => serial, serial_per => serial_per,
                                serial_max => serial_max, serial_charset => serial_charset, first_serial => first_serial, calendar => calendar);
    RAISE EXCEPTION USING errcode = 'ZZZZZ';
EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN RETURN 'accepted';
    WHEN OTHERS THEN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL; RETURN concat_ws(' ', SQLSTATE, coalesce(nullif(d, ''), SQLERRM));
END $$;
SELECT t, serial_try(t, 'key') FROM string_to_table('{key};x;{KEY};{key;key};{{key}};{hash:15};{hash:16};{hash:65};{seq:19};{seq:0};{seq:};{key}{seq:3}{seq:3};{key}-{attempt};{YYYYMMDD}{seq:7};{YYYYMMDDZ}{seq:7 per day};{HHMMSSZ}{seq:7 per day}', ';') t;
SELECT t, serial_try(t, 'attempt') FROM string_to_table('{key};{key}-{attempt};{key}{attempt};{key}7{attempt};{attempt}-{key};{attempt}0-{key};{hash:16}{attempt};{seq:6}', ';') t;
SELECT serial_try('{key}', 'key', serial_max => 0), serial_try('P{hash:32}', 'key', serial_max => 32), serial_try('P{hash:31}', 'key', serial_max => 32),
       serial_try('{hash:16}', 'key', serial_charset => '0-9'), serial_try('{hash:20}', 'key', serial_charset => '0-9'),
       serial_try('{hash:16}', 'key', serial_charset => '0-9A-Z'), serial_try('{hash:16}', 'key', serial_charset => 'A-Z');
-- A form with letters, or digits, of a provider that takes none.
SELECT serial_try('P{hash:16}', 'key', serial_charset => '0-9a-f'), serial_try('{HHMMSSZ}{hash:20}', 'key', serial_charset => 'a-p');
SELECT serial_try('{seq:6}', 'key', first_serial => 1000000), serial_try('{seq:6}', 'key', first_serial => 999999), serial_try('{key}', 'key', first_serial => 5);

SELECT idem.create_calendar('serial', 'Asia/Shanghai');
CREATE PROCEDURE serial_send(scope text, key text) LANGUAGE plpgsql AS $$
DECLARE
    a idem.send_result;
    r idem.send_result;
BEGIN
    SELECT * INTO r FROM idem.reserve(scope, key);
    COMMIT;
    CALL idem.dispatch(scope, key, r.token, a);
    RAISE NOTICE 'reserve % dispatch % attempt %', r.serial, a.serial, a.attempt;
END $$;
SET client_min_messages = notice;
-- Of the key, or of its hash: the same after a restore.
SELECT idem.create_channel('serial hash', send => 'serial/pay', serial => 'P{hash:20}', serial_per => 'key', serial_max => 32, serial_charset => 'A-Z0-9');
SELECT idem.create_scope('serial hash', 'outside', '{}', channels => '{"serial hash"}');
CALL serial_send('serial hash', 'k1');
CALL serial_send('serial hash', 'k2');
SELECT 'P' || upper(left(encode(sha256(convert_to('serial hash', 'UTF8') || '\x00' || convert_to('k1', 'UTF8')), 'hex'), 20)) AS k1;
-- A key that the provider would not take is refused before it is kept.
SELECT idem.create_channel('serial key', send => 'serial/pay', serial => 'P-{key}', serial_per => 'key', serial_max => 8, serial_charset => 'A-Za-z0-9-');
SELECT idem.create_scope('serial key', 'outside', '{}', channels => '{"serial key"}');
SELECT outcome, serial FROM idem.reserve('serial key', 'short');
SELECT outcome, serial FROM idem.reserve('serial key', 'too-long');
SELECT outcome, serial FROM idem.reserve('serial key', 'a_b');
SELECT outcome FROM idem.lookup('serial key', 'a_b');

-- Attempts with a number of their own: made by dispatch.
SELECT idem.create_channel('serial try', send => 'serial/pay', serial => '{key}.{attempt}', serial_per => 'attempt');
SELECT idem.create_scope('serial try', 'outside', '{}', channels => '{"serial try"}');
CALL serial_send('serial try', 'k');
SELECT outcome FROM idem.resolve('serial try', 'k', 'released', '1', force => 'test');
CALL serial_send('serial try', 'k');
-- All attempts with one number.
SELECT outcome FROM idem.resolve('serial hash', 'k1', 'released', '1', force => 'test');
CALL serial_send('serial hash', 'k1');

-- A sequence.  A number that was handed out is never handed out again.
SELECT idem.create_channel('serial seq', send => 'serial/pay', serial => '{seq:3}', serial_per => 'key', first_serial => 997);
SELECT idem.create_scope('serial seq', 'outside', '{}', channels => '{"serial seq"}');
CALL serial_send('serial seq', 'k1');
BEGIN;
SELECT nextval('idem."serial_serial seq"');
ROLLBACK;
CALL serial_send('serial seq', 'k2');
CALL serial_send('serial seq', 'k3');
SELECT outcome, state FROM idem.lookup('serial seq', 'k3');
SELECT outcome FROM idem.fence('serial seq', 'k3', 'no serial is left');
-- It goes on where a channel of the same name ended, or further ahead.
SELECT DISTINCT outcome FROM unnest('{k1,k2}'::text[]) k, LATERAL idem.complete('serial seq', k, 1, answer => '{"code": "00"}');
SELECT idem.drop_scope('serial seq', force => 'test');
SELECT idem.drop_channel('serial seq');
SELECT idem.create_channel('serial seq', send => 'serial/pay', serial => '{seq:5}', serial_per => 'key', first_serial => 1);
SELECT idem.create_channel('serial seq', send => 'serial/pay', serial => '{seq:5}', serial_per => 'key', first_serial => 1000);
SELECT idem.create_channel('serial seq', send => 'serial/pay', serial => '{seq:5}', serial_per => 'key');
SELECT idem.create_scope('serial seq', 'outside', '{}', channels => '{"serial seq"}');
CALL serial_send('serial seq', 'k1');
SELECT outcome FROM idem.complete('serial seq', 'k1', 1, answer => '{"code": "00"}');
SELECT idem.alter_scope('serial seq', channels => '{"serial hash"}', force => 'test');
SELECT idem.drop_channel('serial seq');
BEGIN;
SELECT idem.create_channel('serial seq', send => 'serial/pay', serial => '{seq:5}', serial_per => 'key', first_serial => 7000);
ROLLBACK;
SELECT idem.create_channel('serial seq', send => 'serial/pay', serial => '{seq:5}', serial_per => 'key', first_serial => 5000);
SELECT idem.alter_scope('serial seq', channels => '{"serial seq"}', force => 'test');
CALL serial_send('serial seq', 'k2');
-- The next attempt of a key carries its number again.
SELECT outcome FROM idem.resolve('serial seq', 'k2', 'released', '1', force => 'test');
CALL serial_send('serial seq', 'k2');
SELECT relname, pg_describe_object('pg_class'::regclass, oid, 0) FROM pg_class WHERE relname = 'serial_serial seq';

-- The day in the zone of the calendar, and from 1 on every day.
SELECT idem.create_channel('serial day', send => 'serial/pay', serial => '{YYYYMMDD}{seq:4 per day}', serial_per => 'attempt', calendar => 'serial');
SELECT idem.create_scope('serial day', 'outside', '{}', channels => '{"serial day"}');
SET client_min_messages = warning;
CALL serial_send('serial day', 'k1');
CALL serial_send('serial day', 'k2');
SELECT count(*), count(*) FILTER (WHERE a.serial = to_char(a.dispatched_at AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD') || lpad(right(a.key, 1), 4, '0')) AS right_number
    FROM idem.attempt a JOIN idem.scope s ON s.id = a.scope WHERE s.name = 'serial day';
-- tomorrow
UPDATE idem.serial_day SET day = day - 1 WHERE channel = 'serial day';
CALL serial_send('serial day', 'k3');
SELECT right(a.serial, 4) AS serial FROM idem.attempt a JOIN idem.scope s ON s.id = a.scope WHERE s.name = 'serial day' ORDER BY a.key;
-- It goes on, too, and in the same way only.
SELECT DISTINCT outcome FROM unnest('{k1,k2,k3}'::text[]) k, LATERAL idem.complete('serial day', k, 1, answer => '{"code": "00"}');
SELECT idem.alter_scope('serial day', channels => '{"serial hash"}', force => 'test');
SELECT idem.drop_channel('serial day');
SELECT idem.create_channel('serial day', send => 'serial/pay', serial => '{YYYYMMDD}{seq:4}', serial_per => 'attempt', calendar => 'serial');
SELECT idem.create_channel('serial day', send => 'serial/pay', serial => '{YYYYMMDD}{seq:4 per day}', serial_per => 'key', calendar => 'serial');
SELECT idem.alter_scope('serial day', channels => '{"serial day"}', force => 'test');
CALL serial_send('serial day', 'k4');
SELECT right(a.serial, 4) AS serial FROM idem.attempt a JOIN idem.scope s ON s.id = a.scope WHERE s.name = 'serial day' ORDER BY a.key;
SELECT idem.create_channel('serial time', send => 'serial/pay', serial => '{YYMMDDZ}{HHMMSSZ}{seq:6}', serial_per => 'attempt');
SELECT idem.create_scope('serial time', 'outside', '{}', channels => '{"serial time"}');
CALL serial_send('serial time', 'k1');
SELECT a.serial = to_char(a.dispatched_at AT TIME ZONE 'UTC', 'YYMMDDHH24MISS') || '000001' AS right_number
    FROM idem.attempt a JOIN idem.scope s ON s.id = a.scope WHERE s.name = 'serial time';

-- How long the provider knows a number again: after that the same one is not sent, unless somebody answers for it.
SELECT idem.create_channel('serial window', send => 'serial/pay', serial => '{key}', serial_per => 'key', idempotency_window => '24 hours');
SELECT idem.create_scope('serial window', 'outside', '{}', channels => '{"serial window"}');
CALL serial_send('serial window', 'k');
SELECT outcome FROM idem.resolve('serial window', 'k', 'released', '1', force => 'test');
UPDATE idem.attempt a SET dispatched_at = a.dispatched_at - interval '25 hours' FROM idem.scope s WHERE s.id = a.scope AND s.name = 'serial window';
UPDATE idem.evidence e SET at = e.at - interval '25 hours' FROM idem.scope s WHERE s.id = e.scope AND s.name = 'serial window';
SELECT outcome, token, serial FROM idem.reserve('serial window', 'k');
-- Of a channel that is paused that is said first.
SELECT FROM idem.pause('channel', 'serial window', reason => 'test');
CALL idem.dispatch('serial window', 'k', 2) \gset
\echo :outcome :granted
SELECT idem.resume('channel', 'serial window', reason => 'test');
CALL idem.dispatch('serial window', 'k', 2) \gset
\echo :outcome :granted :settled :state :detail
SELECT state, why, due_at <= clock_timestamp() AS due FROM idem.open_claims WHERE scope = 'serial window';
SELECT outcome, token FROM idem.reserve('serial window', 'k', nonce => 'other');
SELECT why, state FROM idem.due('serial window');
SELECT finding FROM idem.doctor() WHERE object = 'scope "serial window"';
SELECT outcome, state FROM idem.resolve('serial window', 'k', 'released', '{"by": "me"}', force => 'not on yesterday''s statement');
CALL idem.dispatch('serial window', 'k', 2) \gset
\echo :outcome :granted :serial
SELECT state, why FROM idem.open_claims WHERE scope = 'serial window';

-- A number that is counted is not carried to another channel, where it would be that of another payment.
SELECT count(*) FROM idem.define_return_codes('serial/told', E'|code|meaning|\n|---|---|\n|OK|succeeded|');
SELECT idem.create_channel('serial one', send => 'serial/told', serial => '{seq:3}', serial_per => 'key');
SELECT idem.create_channel('serial two', send => 'serial/told', serial => '{seq:3}', serial_per => 'key');
SELECT idem.create_channel('serial plain', send => 'serial/told', serial => '{key}', serial_per => 'key');
SELECT idem.create_scope('serial moved', 'outside', '{}', channels => '{"serial one"}');
SELECT outcome, serial FROM idem.reserve('serial moved', 'm1');
SELECT idem.alter_scope('serial moved', channels => '{"serial plain"}', force => 'test');
SELECT outcome, serial FROM idem.reserve('serial moved', '003');
SELECT idem.alter_scope('serial moved', channels => '{"serial two"}', force => 'test');
CALL idem.dispatch('serial moved', 'm1', 1) \gset
\echo :granted :channel :serial
CALL idem.dispatch('serial moved', '003', 1) \gset
\echo :granted :channel :serial
CALL serial_send('serial moved', 'm3');
SELECT a.key, a.channel, a.serial FROM idem.attempt a JOIN idem.scope s ON s.id = a.scope WHERE s.name = 'serial moved' ORDER BY a.serial, a.key;

-- A channel whose sequence would have the name of a table of ours.
SELECT idem.create_channel('day', send => 'serial/told', serial => '{seq:3}', serial_per => 'key');

-- A serial is one to the letter, though both are one number.
SELECT idem.create_channel('serial dot', send => 'serial/told', serial => '{key}', serial_per => 'key', echo => '{serial}');
SELECT idem.create_scope('serial dot', 'outside', '{}', channels => '{"serial dot"}');
CALL serial_send('serial dot', '5.10');
SELECT outcome, settled, mismatch FROM idem.complete('serial dot', '5.10', 1, answer => '{"code":"OK","serial":"5.1"}');
SELECT outcome, settled, mismatch FROM idem.complete('serial dot', '5.10', 1, answer => '{"code":"OK","serial":5.1}');
SELECT outcome, settled, mismatch FROM idem.complete('serial dot', '5.10', 1, answer => '{"code":"OK","serial":5.10}');

-- Channels that make the same number of a key: it is known before one of them is
-- chosen, and not where one makes another.
SELECT idem.create_channel('serial left', send => 'serial/told', serial => 'P{hash:20}', serial_per => 'key');
SELECT idem.create_channel('serial right', send => 'serial/told', serial => 'P{hash:20}', serial_per => 'key');
SELECT idem.create_channel('serial odd', send => 'serial/told', serial => 'P{hash:21}', serial_per => 'key');
SELECT idem.create_scope('serial same', 'outside', '{}', channels => '{"serial left","serial right"}');
SELECT idem.create_scope('serial other', 'outside', '{}', channels => '{"serial left","serial odd"}');
SELECT outcome, length(serial) FROM idem.reserve('serial same', 'k');
SELECT outcome, length(serial) FROM idem.reserve('serial other', 'k');
CALL idem.dispatch('serial other', 'k', 1, channel => 'serial odd') \gset
SELECT :'granted' AS granted, length(:'serial') AS length;
-- A day whose year has two digits.
SELECT idem.create_channel('serial short', send => 'serial/told', serial => '{YYMMDDZ}-{seq:4 per day}', serial_per => 'attempt');
SELECT idem.create_scope('serial short', 'outside', '{}', channels => '{"serial short"}');
SELECT (idem.reserve('serial short', k)).outcome FROM unnest('{a,b}'::text[]) k;
CALL idem.dispatch('serial short', 'a', 1) \gset
SELECT to_date(left(:'serial', 6), 'YYMMDD') - (now() AT TIME ZONE 'UTC')::date IN (-1, 0) AS day, substr(:'serial', 7);
CALL idem.dispatch('serial short', 'b', 1) \gset
SELECT substr(:'serial', 7);
