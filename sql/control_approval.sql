--
-- Two persons, as far as one session shows: who approves what, with logins
-- that the server has checked, is shown by test/tap/610_control_approval.pl.
-- Here nobody is authenticated.
--
SET client_min_messages = warning;
\set VERBOSITY terse
-- A server that asks for passwords or certificates knows us: not this test's.
BEGIN;
SELECT idem.require_approval(true);
\set refused :ERROR
ROLLBACK;
SELECT NOT :'refused' AS authenticated \gset
\if :authenticated
\quit
\endif
-- Off unless it is turned on, and nobody turns it on who is nobody.
SELECT count(*) FROM idem.policy;
SELECT idem.require_approval(true);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.require_approval(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.approve('resume', 'scope "x"', repeat('0', 64), reason => 'test');
\echo :LAST_ERROR_SQLSTATE
-- What is asked for
SELECT idem.approve(NULL, 'x', repeat('0', 64), reason => 'test');
SELECT idem.approve('resume', NULL, repeat('0', 64), reason => 'test');
SELECT idem.approve('resume', 'x', NULL, reason => 'test');
SELECT idem.approve('resume', 'x', repeat('0', 64), reason => NULL);
SELECT idem.approve('resume', 'x', repeat('0', 64), reason => ' ');
SELECT idem.approve('resume', 'x', repeat('0', 64), reason => 'x', emergency => ' ');
SELECT idem.approve('resume', 'x', repeat('0', 63), reason => 'test');
SELECT idem.approve('resume', 'x', repeat('G', 64), reason => 'test');

-- Where it is on, whoever is not authenticated does none of it; pause needs no approval.
CREATE SCHEMA approval;
CREATE TABLE approval.payment (id int PRIMARY KEY, status text NOT NULL);
SELECT idem.create_scope('approval', effect => 'inside', fields => '{a}');
SELECT FROM idem.define_return_codes('approval/pay', E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |');
SELECT idem.create_channel('approval', send => 'approval/pay');
SELECT FROM idem.claim('approval', 'k', '{"a":1}');
SELECT FROM idem.define_machine('approval', 'stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]');
SELECT idem.guard_states('approval.payment', 'status', 'approval');
INSERT INTO idem.policy VALUES ('approval', now(), 'test');
SELECT FROM idem.pause('scope', 'approval', reason => 'test');
SELECT idem.resume('scope', 'approval', reason => 'test');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.alter_scope('approval', fields => '{}', force => 'test');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.drop_scope('approval', force => 'test');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.alter_channel('approval', quiet => '1 min', force => 'test');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.alter_channel('approval', quiet => '1 hour');
SELECT idem.drop_guard('approval.payment', 'states', reason => 'test');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.define_machine('approval', 'stateDiagram-v2
    [*] --> created
    created --> paid
    created --> failed
    paid --> [*]
    failed --> [*]', loosen => 'test');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.require_approval(false);
-- What is stricter needs none.
SELECT FROM idem.alter_scope('approval', fields => '{a,b}');
SELECT kind, name FROM idem.pauses WHERE name = 'approval';
DELETE FROM idem.policy;
SELECT FROM idem.resume('scope', 'approval', reason => 'test');
SELECT idem.drop_guard('approval.payment', 'states', reason => 'test');

DROP SCHEMA approval CASCADE;
SELECT FROM idem.drop_scope('approval', force => 'test');
DELETE FROM idem.machine WHERE name = 'approval';
