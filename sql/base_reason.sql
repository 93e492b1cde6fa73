-- One rule for every reason (wound 30): a text that is not blank, of at most
-- 1,000 characters; anything else is 22023, and not the same as none.
\set VERBOSITY terse

SELECT idem.create_scope('reason in', 'inside', '{a}');
SELECT idem.create_scope('reason out', 'outside', '{}');
SELECT idem.create_scope('reason twice', 'inside', '{}', duplicate_fields => '{a}', duplicate_window => '1 h');
SELECT outcome FROM idem.reserve('reason out', 'k');
CREATE TABLE base_reason (id int PRIMARY KEY, a int NOT NULL);
SELECT idem.guard_fixed('base_reason', '{a}');
SELECT effect FROM idem.define_machine('reason_m', E'stateDiagram-v2\n[*] --> a\na --> [*]');

SELECT idem.create_calendar('reason cal', time_zone => 'UTC');
SELECT FROM idem.define_return_codes('reason/send', E'| code | meaning |\n| --- | --- |\n| 0 | succeeded |');
SELECT idem.create_channel('reason ch', send => 'reason/send', calendar => 'reason cal');

-- Every argument that is a reason, and a call that gives one.
CREATE TEMP TABLE reason_call (function text, argument text, call text);
INSERT INTO reason_call VALUES
    ('alter_scope', 'force', $$SELECT idem.alter_scope('reason in', fields => '{}', force => %L)$$),
    ('drop_scope', 'force', $$SELECT idem.drop_scope('reason in', force => %L)$$),
    ('resolve', 'force', $$SELECT idem.resolve('reason out', 'k', 'failed', '{"a":1}', force => %L)$$),
    ('correct', 'reason', $$SELECT idem.correct('reason out', 'k', 'failed', %L, '{"a":1}')$$),
    ('approve', 'reason', $$SELECT idem.approve('drop_guard', 'table base_reason', repeat('0', 64), %L)$$),
    ('claim', 'confirmed', $$SELECT idem.claim('reason twice', 'k', '{"a":1}', %L)$$),
    ('claim_many', 'confirmed', $$SELECT idem.claim_many('reason twice', '{k}', ARRAY['{"a":1}']::jsonb[], %L)$$),
    ('reserve', 'confirmed', $$SELECT idem.reserve('reason out', 'k', confirmed => %L)$$),
    ('confirm_suspects', 'reason', $$SELECT idem.confirm_suspects('{}', %L)$$),
    ('fence', 'reason', $$SELECT idem.fence('reason out', 'k', %L)$$),
    ('drop_guard', 'reason', $$SELECT idem.drop_guard('base_reason', 'fixed', reason => %L)$$),
    ('define_machine', 'loosen', $$SELECT idem.define_machine('reason_m', E'stateDiagram-v2\n[*] --> b\nb --> [*]', loosen => %L)$$),
    ('define_machine', 'tighten', $$SELECT idem.define_machine('reason_m', E'stateDiagram-v2\n[*] --> b\nb --> [*]', tighten => %L)$$),
    ('define_return_codes', 'loosen', $$SELECT idem.define_return_codes('reason/pay', E'| code | meaning |\n| --- | --- |\n| 1 | succeeded |', loosen => %L)$$),
    ('define_return_codes', 'tighten', $$SELECT idem.define_return_codes('reason/pay', E'| code | meaning |\n| --- | --- |\n| 1 | succeeded |', tighten => %L)$$),
    ('alter_channel', 'force', $$SELECT idem.alter_channel('reason ch', absence => 'statement', force => %L)$$),
    ('add_closure', 'reason', $$SELECT idem.add_closure('reason cal', '[2050-10-01,2050-10-08)', %L)$$),
    ('drop_closure', 'reason', $$SELECT idem.drop_closure('reason cal', '[2050-10-01,2050-10-08)', %L)$$),
    ('pause', 'reason', $$SELECT idem.pause('scope', 'reason in', reason => %L)$$),
    ('alter_reconciliation', 'reason', $$SELECT idem.alter_reconciliation('reason rule', %L, tolerance => 1)$$),
    ('settle_difference', 'reason', $$SELECT idem.settle_difference('00000000-0000-0000-0000-000000000000', 'explained', %L)$$),
    ('drop_reconciliation', 'reason', $$SELECT idem.drop_reconciliation('reason rule', %L)$$),
    ('set_site', 'reason', $$SELECT idem.set_site('reason', reason => %L)$$),
    ('adopt_site', 'reason', $$SELECT idem.adopt_site(reason => %L, lost => '0')$$),
    ('resume', 'reason', $$SELECT idem.resume('scope', 'reason in', reason => %L)$$);

-- none is missing, none is called in vain: no rows
(SELECT p.proname, a.name FROM pg_proc p, unnest(p.proargnames[:p.pronargs]) a (name)
 WHERE p.pronamespace = 'idem'::regnamespace AND a.name IN ('reason', 'force', 'loosen', 'tighten', 'confirmed')
 EXCEPT SELECT function, argument FROM reason_call);
(SELECT function, argument FROM reason_call
 EXCEPT SELECT p.proname, a.name FROM pg_proc p, unnest(p.proargnames) a (name)
 WHERE p.pronamespace = 'idem'::regnamespace);

CREATE FUNCTION pg_temp.answer(call text, reason text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(call, reason);
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END $$;

SELECT function, argument, pg_temp.answer(call, '') AS empty FROM reason_call;
-- what looks like nothing: blanks, controls, no-break space, zero width
SELECT function, argument, pg_temp.answer(call, E' \t\n\r\x0b\f\u00a0\u2003\u200b\u3000\ufeff') AS blank FROM reason_call;
SELECT function, argument, pg_temp.answer(call, repeat('ä', 1001)) AS long FROM reason_call;
-- and the longest is kept as it is
SELECT outcome FROM idem.fence('reason out', 'other', repeat('ä', 1000));
SELECT length(reason) FROM idem.evidence WHERE key = 'other';

-- the setting that lets DDL pass is a reason, too; empty is none
SET idem.allow_unguarded = '';
SET idem.allow_unguarded = ' ';
SELECT pg_temp.answer($$SELECT set_config('idem.allow_unguarded', %L, false)$$, repeat('x', 1001)) ~ '^22023' AS refused;
SHOW idem.allow_unguarded;

SELECT outcome FROM idem.fence('reason out', 'k', 'the end of the test');
SELECT idem.drop_scope('reason in', 'the end of the test'), idem.drop_scope('reason out', 'the end of the test'), idem.drop_scope('reason twice');
SELECT idem.drop_channel('reason ch'), idem.drop_calendar('reason cal');
SELECT idem.drop_guard('base_reason', 'fixed', reason => 'the end of the test');
DROP TABLE base_reason;
