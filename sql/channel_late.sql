--
-- Channels, afterwards: what nobody has listed, corrections, silence, partial amounts.
--
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT count(*) AS codes FROM idem.define_return_codes('late/pay', $$
| code | meaning   |
| ---- | --------- |
| 00   | succeeded |
| 51   | failed    |
$$);
SELECT count(*) AS codes FROM idem.define_return_codes('late/query', $$
| code    | meaning   |
| ------- | --------- |
| 00/PAID | succeeded |
| 44      | absent    |
$$);
SELECT count(*) AS codes FROM idem.define_return_codes('late/return', $$
| code | meaning  |
| ---- | -------- |
| R01  | returned |
| R99  | failed   |
$$);
SELECT idem.create_channel('late', send => 'late/pay', inquire => 'late/query', serial => '{key}', serial_per => 'key', echo => '{serial,amount}', partial => 'record');
SELECT idem.create_scope('late pay', 'outside', '{amount}', channels => '{late}');
CREATE PROCEDURE late_sent(scope text, key text) LANGUAGE plpgsql AS $$
DECLARE
    a idem.send_result;
    t bigint;
BEGIN
    SELECT token INTO t FROM idem.reserve(scope, key, '{"amount": 88}');
    COMMIT;
    CALL idem.dispatch(scope, key, t, a);
    UPDATE idem.reservation r SET dispatched_at = dispatched_at - interval '1 hour' WHERE r.key = late_sent.key;
END $$;

-- Codes that nobody has listed are counted from what is kept, and named by the doctor.
CALL late_sent('late pay', 'k1');
CALL late_sent('late pay', 'k2');
CALL late_sent('late pay', 'k3');
CALL late_sent('late pay', 'k4');
SELECT outcome FROM idem.complete('late pay', 'k1', 1, answer => '{"code": "91", "serial": "k1", "amount": 88}');
SELECT outcome FROM idem.complete('late pay', 'k2', 1, answer => '{"code": ["91"], "serial": "k2", "amount": 88}');
SELECT outcome FROM idem.complete('late pay', 'k3', 1, answer => '{"error": "gateway"}');
SELECT outcome FROM idem.complete('late pay', 'k4', 1, answer => '{"code": "00", "serial": "k4", "amount": 88}');
SELECT outcome FROM idem.resolve('late pay', 'k3', via => 'late/query', answer => '{"code": "00/WAIT", "serial": "k3"}');
SELECT outcome FROM idem.resolve('late pay', 'k3', via => 'late/query', answer => '{"code": "44", "serial": "k3"}');
SELECT interface, code, seen, scope, key, first_seen <= last_seen AS ordered FROM idem.unlisted_codes WHERE interface LIKE 'late/%' ORDER BY 1, 2;
SELECT side, interface, meaning, listed, seen FROM idem.channel_coverage WHERE channel = 'late' ORDER BY side, meaning;
SELECT severity, object, regexp_replace(finding, 'until .*:', 'until ...:') AS finding, remedy FROM idem.doctor() WHERE object LIKE '%late/%' OR object = 'channel late' ORDER BY object, finding;
-- One that two scopes share, and whose serials are made of the key alone, too.
SELECT idem.create_scope('late twin', 'outside', '{amount}', channels => '{late}');
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object = 'channel late';
SELECT idem.drop_scope('late twin');
-- The table grows, and what was said is judged again: shown, then settled.
SELECT * FROM idem.define_return_codes('late/pay', $$
| code | meaning   |
| ---- | --------- |
| 00   | succeeded |
| 51   | failed    |
| 91   | failed    |
$$, loosen => 'the bank has written that 91 is certain');
SELECT key, attempt, interface, code, meaning, outcome FROM idem.reconsider('late pay');
SELECT outcome, state FROM idem.lookup('late pay', 'k1');
SELECT key, attempt, interface, code, meaning, outcome FROM idem.reconsider('late pay', dry_run => false);
SELECT outcome, state, response->>'code' AS code FROM idem.lookup('late pay', 'k1');
SELECT count(*) FROM idem.reconsider('late pay', dry_run => false);

-- A part of the amount, under the right serial: recorded, where the channel says so.
CALL late_sent('late pay', 'part');
SELECT outcome, settled, state, settled_amount, mismatch FROM idem.complete('late pay', 'part', 1, answer => '{"code": "00", "serial": "part", "amount": "50.5"}');
SELECT outcome, settled_amount FROM idem.reserve('late pay', 'part', '{"amount": 88}');
SELECT e.action, e.outcome, e.settled_amount FROM idem.evidence e JOIN idem.scope s ON s.id = e.scope WHERE s.name = 'late pay' AND e.key = 'part';
-- The same part again agrees, another one does not.
SELECT outcome, reentrant, settled_amount FROM idem.resolve('late pay', 'part', via => 'late/query', answer => '{"code": "00/PAID", "serial": "part", "amount": 50.50}');
SELECT outcome, settled_amount FROM idem.resolve('late pay', 'part', via => 'late/query', answer => '{"code": "00/PAID", "serial": "part", "amount": 88}');
SELECT outcome, settled_amount FROM idem.resolve('late pay', 'part', via => 'late/query', answer => '{"code": "00/PAID", "serial": "part", "amount": 40}');
-- Nothing, and less than nothing, are no part; nor is one under another serial.
CALL late_sent('late pay', 'part2');
SELECT outcome, mismatch FROM idem.complete('late pay', 'part2', 1, answer => '{"code": "00", "serial": "part2", "amount": 0}');
SELECT outcome, mismatch FROM idem.complete('late pay', 'part2', 1, answer => '{"code": "00", "serial": "part2", "amount": "-5"}');
SELECT outcome, mismatch FROM idem.complete('late pay', 'part2', 1, answer => '{"code": "00", "serial": "part", "amount": 50}');

-- A final state that was wrong: an operator puts it right.
CREATE TYPE late_state AS ENUM ('new', 'paying', 'paid', 'refused');
CREATE TABLE late_payment (id text PRIMARY KEY, state late_state NOT NULL);
SELECT idem.guard_claimed('late_payment', '{id}', 'late pay', state => 'state', claimed => '{"paying": "{reserved,dispatched,unknown}", "paid": "{succeeded}", "refused": "{failed}"}');
CALL late_sent('late pay', 'wrong');
INSERT INTO late_payment VALUES ('wrong', 'paying');
SELECT outcome FROM idem.complete('late pay', 'wrong', 1, answer => '{"code": "51", "serial": "wrong"}');
UPDATE late_payment SET state = 'refused' WHERE id = 'wrong';
SELECT outcome, settled FROM idem.resolve('late pay', 'wrong', via => 'late/query', answer => '{"code": "00/PAID", "serial": "wrong", "amount": 88}');
SELECT state, why FROM idem.open_claims WHERE key = 'wrong';
UPDATE late_payment SET state = 'paid' WHERE id = 'wrong';
SELECT outcome, settled, state, marks, response->>'code' AS code FROM idem.correct('late pay', 'wrong', 'succeeded', 'on the statement of today', '{"line": 17}');
UPDATE late_payment SET state = 'paid' WHERE id = 'wrong';
SELECT state, why FROM idem.open_claims WHERE key = 'wrong';
SELECT outcome, state, marks FROM idem.reserve('late pay', 'wrong', '{"amount": 88}');
SELECT action, outcome, evidence, reason FROM idem.evidence WHERE key = 'wrong' ORDER BY n;
-- Once; and only what is final.
SELECT outcome, reentrant FROM idem.correct('late pay', 'wrong', 'succeeded', 'on the statement of today', '{"line": 17}');
SELECT outcome FROM idem.correct('late pay', 'k3', 'failed', 'x', '1');
SELECT outcome FROM idem.correct('late pay', 'nobody', 'failed', 'x', '1');
SELECT outcome FROM idem.correct('late pay', 'wrong', 'released', 'x', '1');
SELECT outcome FROM idem.correct('late pay', 'wrong', 'failed', ' ', '1');
SELECT outcome FROM idem.correct('late pay', 'wrong', 'failed', 'x', NULL);
-- What was fenced and succeeded after all has to be reversed, and a person hears of it.
SELECT outcome FROM idem.fence('late pay', 'fenced', 'cancelled');
SELECT outcome, settled, state, marks FROM idem.correct('late pay', 'fenced', 'succeeded', 'on the statement of today', '{"line": 18}');
SELECT state, why FROM idem.open_claims WHERE key = 'fenced';
SELECT outcome, reentrant FROM idem.correct('late pay', 'fenced', 'succeeded', 'the same again', '{"line": 18}');
SELECT state, why FROM idem.open_claims WHERE key = 'fenced';
SELECT outcome, settled FROM idem.resolve('late pay', 'fenced', 'succeeded', '{"reversal": 7}', force => 'reversed by hand');
SELECT state, why FROM idem.open_claims WHERE key = 'fenced';
SELECT outcome FROM idem.fence('late pay', 'fenced2', 'cancelled');
SELECT outcome, state FROM idem.correct('late pay', 'fenced2', 'failed', 'the bank has refused it', '{"line": 19}');
SELECT state, why FROM idem.open_claims WHERE key = 'fenced2';
CREATE ROLE regress_idem_late;
SELECT idem.grant_runtime('regress_idem_late');
SET ROLE regress_idem_late;
SELECT outcome FROM idem.correct('late pay', 'wrong', 'failed', 'x', '1');
SELECT count(*) FROM idem.reconsider('late pay');
RESET ROLE;

-- No news is good news, after so many business days; and a return still comes.
SELECT idem.create_calendar('ach', time_zone => 'America/New_York', cut => '17:00', weekend => '{6,7}');
SELECT idem.create_channel('ach', notice => 'late/return', calendar => 'ach', presume_days => 3, serial => '{key}', serial_per => 'key', echo => '{serial}');
SELECT idem.create_scope('late ach', 'outside', '{amount}', channels => '{ach}');
SELECT idem.business_days('ach', '2030-07-18', '2030-07-22'), idem.business_days('ach', '2030-07-18', '2030-07-18'), idem.business_days('ach', '2030-07-19', '2030-07-24');
INSERT INTO idem.calendar SELECT name, clock_timestamp(), time_zone, cut, closed, around_cut, '{}', created_by FROM idem.calendar WHERE name = 'ach';
CALL late_sent('late ach', 'a1');
CALL late_sent('late ach', 'a2');
CALL late_sent('late ach', 'a3');
SELECT count(*) FROM idem.presume('late ach');
UPDATE idem.attempt SET business_date = business_date - 3 WHERE key IN ('a1', 'a2');
UPDATE idem.attempt SET business_date = business_date - 2 WHERE key = 'a3';
SELECT outcome, settled FROM idem.resolve('late ach', 'a2', via => 'late/return', answer => '{"code": "R01", "serial": "a2"}');
SELECT key, outcome, settled, state, marks, granted FROM idem.presume('late ach');
SELECT count(*) FROM idem.presume('late ach');
SELECT outcome, settled, marks FROM idem.reserve('late ach', 'a1', '{"amount": 88}');
SELECT outcome, settled, state, marks FROM idem.resolve('late ach', 'a1', via => 'late/return', answer => '{"code": "R01", "serial": "a1", "amount": 88}');
SELECT outcome, state FROM idem.lookup('late ach', 'a3');
-- Of what was fenced meanwhile a person hears.
CALL late_sent('late ach', 'a4');
SELECT outcome FROM idem.fence('late ach', 'a4', 'cancelled');
UPDATE idem.attempt SET business_date = business_date - 3 WHERE key = 'a4';
SELECT key, outcome, settled, state, marks FROM idem.presume('late ach');
SELECT state, why FROM idem.open_claims WHERE key = 'a4';
SELECT count(*) FROM idem.presume('late pay');

-- What is reserved while nothing can be sent waits where it is on the ladder.
SELECT outcome FROM idem.reserve('late ach', 'r', '{"amount": 1}');
UPDATE idem.reservation SET due_at = now() - interval '1 min' WHERE key = 'r';
INSERT INTO idem.closure VALUES ('ach', tstzrange(now() - interval '1 hour', now() + interval '1 hour'), 'closed', 'me');
SELECT count(*) FROM idem.due('late ach') WHERE key = 'r';
SELECT step FROM idem.reservation WHERE key = 'r';
DELETE FROM idem.closure WHERE reason = 'closed';
SELECT key, step, why FROM idem.due('late ach') WHERE key = 'r';
-- An application has rights on no table of this, and needs none.
SET ROLE regress_idem_late;
SELECT outcome, serial FROM idem.reserve('late ach', 'app', '{"amount": 1}');
CALL idem.dispatch('late ach', 'app', 1) \gset
\echo :outcome :granted :serial
SELECT :'business_date'::date = idem.business_date('ach', :'dispatched_at') AS day;
SELECT outcome FROM idem.resolve('late ach', 'app', via => 'late/return', answer => '{"code": "R99", "serial": "app"}');
SELECT count(*) FROM idem.presume('late ach');
SELECT outcome, serial FROM idem.reserve('late pay', 'app', '{"amount": 1}');
CALL idem.dispatch('late pay', 'app', 1) \gset
SELECT outcome FROM idem.complete('late pay', 'app', 1, answer => '{"code": "00", "serial": "app", "amount": 1}');
SELECT outcome FROM idem.resolve('late pay', 'app', via => 'late/query', answer => '{"code": "44", "serial": "app"}');
SELECT count(*) FROM idem.channel;
SELECT count(*) FROM idem.unlisted_codes;
SELECT idem.create_channel('app', send => 'late/pay');
RESET ROLE;
DROP TABLE late_payment;
DROP OWNED BY regress_idem_late;
DROP ROLE regress_idem_late;
