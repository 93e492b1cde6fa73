--
-- Channels: what a provider's answer means, and whether it is about this request.
--
SET client_min_messages = warning;
SELECT count(*) AS codes FROM idem.define_return_codes('bankA/pay', $$
| code         | meaning   | note                          |
| ------------ | --------- | ----------------------------- |
| 0000         | succeeded |                               |
| 2001         | failed    | balance, certain              |
| 9999         | unknown   | system error: inquire         |
| 3001         | unknown   | duplicate serial              |
$$);
SELECT count(*) AS codes FROM idem.define_return_codes('bankA/query', $$
| code         | meaning   | note                          |
| ------------ | --------- | ----------------------------- |
| 0000/PAID    | succeeded |                               |
| 0000/REFUSED | failed    |                               |
| 0000/WAITING | unknown   |                               |
| 4004         | absent    | no such transaction           |
$$);
SELECT count(*) AS codes FROM idem.define_return_codes('bankA/notice', $$
| code     | meaning   |
| -------- | --------- |
| SUCCESS  | succeeded |
| FAIL     | failed    |
| RETURNED | returned  |
$$);
SELECT count(*) AS codes FROM idem.define_return_codes('bankB/pay', $$
| code | meaning   |
| ---- | --------- |
| OK   | succeeded |
| NO   | failed    |
$$);
SELECT count(*) AS codes FROM idem.define_return_codes('bankB/query', $$
| code | meaning   |
| ---- | --------- |
| OK   | succeeded |
| NONE | absent    |
$$);
SELECT idem.create_channel('bankA', send => 'bankA/pay', inquire => 'bankA/query', notice => 'bankA/notice',
                           serial => '{key}', serial_per => 'key', echo => '{serial,amount}');
SELECT idem.create_channel('bankB', send => 'bankB/pay', inquire => 'bankB/query', serial => '{key}-{attempt}', serial_per => 'attempt',
                           echo => '{serial,payee}', absence => 'inquiry');
SELECT idem.create_scope('channel pay', 'outside', '{payee,amount}', channels => '{bankA,bankB}');
CREATE VIEW channel_late AS SELECT l.key, l.outcome, l.codes, l.via, l.mismatch, l.state
    FROM idem.late_result l JOIN idem.scope s ON s.id = l.scope WHERE s.name = 'channel pay' ORDER BY l.at;
CREATE VIEW channel_evidence AS SELECT e.key, e.action, e.outcome, e.via, e.codes, e.attempt
    FROM idem.evidence e JOIN idem.scope s ON s.id = e.scope WHERE s.name = 'channel pay' ORDER BY e.at;
CREATE VIEW channel_open AS SELECT key, state, why, step, due_at <= clock_timestamp() AS due FROM idem.open_claims
    WHERE scope = 'channel pay' ORDER BY key COLLATE "C";
-- a key, sent by a channel a while ago
CREATE PROCEDURE channel_sent(key text, channel text) LANGUAGE plpgsql AS $$
DECLARE
    a idem.send_result;
    t bigint;
BEGIN
    SELECT token INTO t FROM idem.reserve('channel pay', channel_sent.key, '{"payee": "p", "amount": 88.00}');
    COMMIT;
    a.channel := channel_sent.channel;
    CALL idem.dispatch('channel pay', channel_sent.key, t, a);
    IF NOT a.granted THEN RAISE EXCEPTION '% %', a.outcome, a.detail; END IF;
    UPDATE idem.reservation r SET dispatched_at = dispatched_at - interval '1 hour' WHERE r.key = channel_sent.key;
END $$;

-- The good case.  The serial is made when the key is reserved, and comes back everywhere.
SELECT outcome, serial, channel FROM idem.reserve('channel pay', 'po-1', '{"payee": "p", "amount": 88.00}');
CALL idem.dispatch('channel pay', 'po-1', 1, channel => 'bankA') \gset
\echo :outcome :granted :serial :channel
SELECT outcome, settled, serial, channel, response
    FROM idem.complete('channel pay', 'po-1', 1, answer => '{"code": "0000", "serial": "po-1", "amount": "88.00"}');
SELECT outcome, settled, serial, channel, response, settled_amount, marks FROM idem.reserve('channel pay', 'po-1', '{"payee": "p", "amount": 88.00}');
SELECT outcome, serial, channel FROM idem.lookup('channel pay', 'po-1');

-- Several channels: dispatch names one of them.
SELECT outcome, serial FROM idem.reserve('channel pay', 'po-2', '{"payee": "p", "amount": 88.00}');
CALL idem.dispatch('channel pay', 'po-2', 1) \gset
CALL idem.dispatch('channel pay', 'po-2', 1, channel => 'bankC') \gset
CALL idem.dispatch('channel pay', 'po-2', 1, channel => 'bankB') \gset
\echo :outcome :granted :serial :channel

-- Two banks.  A router that fails over while the first one is silent is not granted.
CALL channel_sent('two', 'bankA');
CALL idem.dispatch('channel pay', 'two', 1, channel => 'bankB') \gset
\echo :outcome :granted :channel
UPDATE idem.reservation SET lease_until = now() - interval '1 s' WHERE key = 'two';
SELECT outcome, granted, token, channel FROM idem.reserve('channel pay', 'two', '{"payee": "p", "amount": 88}');
CALL idem.dispatch('channel pay', 'two', 1, channel => 'bankB') \gset
\echo :outcome :granted :channel
-- It is, once the first one is known not to have paid: here a person says so.
SELECT outcome FROM idem.resolve('channel pay', 'two', 'released', '{"phone": "never arrived"}', force => 'the bank was asked by phone');
SELECT outcome, token, attempt, serial FROM idem.reserve('channel pay', 'two', '{"payee": "p", "amount": 88}');
CALL idem.dispatch('channel pay', 'two', 2, channel => 'bankB') \gset
\echo :outcome :granted :channel :serial :attempt
-- Then the first bank's notice comes.  It is about the first attempt, and before a person.
SELECT outcome, settled, state, channel FROM idem.resolve('channel pay', 'two', via => 'bankA/notice',
    answer => '{"code": "SUCCESS", "serial": "two", "amount": 88}');
SELECT * FROM channel_late WHERE key = 'two';
-- One of a bank by which the key never went is not about this request.
CALL channel_sent('stranger', 'bankA');
SELECT outcome, settled, state, mismatch FROM idem.resolve('channel pay', 'stranger', via => 'bankB/query',
    answer => '{"code": "OK", "serial": "stranger-1", "payee": "p"}');
-- An interface of no channel is a mistake of the caller.
SELECT outcome FROM idem.resolve('channel pay', 'stranger', via => 'bankC/query', answer => '{"code": "OK"}');
SELECT outcome FROM idem.resolve('channel pay', 'stranger', answer => '{"code": "OK"}');

-- The answer to a duplicate serial names another payment: another payee and amount.
CALL channel_sent('dup', 'bankA');
SELECT outcome, settled, state, mismatch, detail
    FROM idem.complete('channel pay', 'dup', 1, answer => '{"code": "0000", "serial": "other", "amount": 17}');
SELECT * FROM channel_late WHERE key = 'dup';
SELECT * FROM channel_open WHERE key = 'dup';
SELECT key, why, outcome, granted, settled, serial, channel FROM idem.due('channel pay') WHERE key = 'dup';
-- The answer that is about it settles it; what was mistaken stays before a person.
SELECT outcome, settled, state FROM idem.resolve('channel pay', 'dup', via => 'bankA/query',
    answer => '{"code": ["0000", "PAID"], "serial": "dup", "amount": 88}');
SELECT * FROM channel_open WHERE key = 'dup';
-- Another amount under the right serial is another payment, too, unless the channel records it.
CALL channel_sent('amount', 'bankA');
SELECT outcome, state, mismatch FROM idem.complete('channel pay', 'amount', 1, answer => '{"code": "0000", "serial": "amount", "amount": 8.8}');
-- A caller who insists is no better informed.
CALL channel_sent('insist', 'bankA');
SELECT outcome, state, mismatch FROM idem.complete('channel pay', 'insist', 1, 'succeeded', '{"code": "0000", "serial": "insist", "amount": 8.8}');

-- "System error" is no failure; nor is what nobody has listed, nor no code, nor no answer.
CALL channel_sent('system', 'bankA');
SELECT outcome, settled, state, detail FROM idem.complete('channel pay', 'system', 1, answer => '{"code": "9999"}');
SELECT outcome, settled, state, detail FROM idem.complete('channel pay', 'system', 1, 'failed', '{"code": "SYSTEM_ERROR"}');
SELECT outcome, settled, state, detail FROM idem.complete('channel pay', 'system', 1, 'failed', '{"code": "9999"}');
SELECT outcome, settled, state, detail FROM idem.complete('channel pay', 'system', 1, 'failed', '{"error": "time-out"}');
SELECT outcome, settled, state, detail FROM idem.complete('channel pay', 'system', 1, 'succeeded');
SELECT outcome, settled, state, detail FROM idem.complete('channel pay', 'system', 1, answer => '"0000"');
SELECT outcome, settled, state, detail FROM idem.complete('channel pay', 'system', 1, answer => NULL::jsonb);
-- A code of one interface means nothing on another.
SELECT outcome, settled, state, detail FROM idem.resolve('channel pay', 'system', via => 'bankA/query', answer => '{"code": "0000", "serial": "system", "amount": 88}');
SELECT outcome, codes, via, action FROM channel_evidence WHERE key = 'system';
-- Success says all that is echoed; a failure the serial alone.
SELECT outcome, detail FROM idem.complete('channel pay', 'system', 1, answer => '{"code": "0000", "serial": "system"}');
SELECT outcome, detail FROM idem.complete('channel pay', 'system', 1, answer => '{"code": "0000", "amount": 88, "asked": {"serial": "system"}}');
SELECT outcome, detail FROM idem.complete('channel pay', 'system', 1, answer => '{"code": "2001"}');
-- The caller's word and the code: the one that says less wins.
SELECT outcome, detail FROM idem.complete('channel pay', 'system', 1, 'succeeded', '{"code": "2001", "serial": "system"}');
SELECT outcome, detail FROM idem.complete('channel pay', 'system', 1, 'unknown', '{"code": "2001", "serial": "system"}');
SELECT outcome, settled, state FROM idem.complete('channel pay', 'system', 1, 'failed', '{"code": "2001", "asked": {"serial": "system"}}');

-- "No such transaction", a second after sending: not by complete, not within the quiet interval.
SELECT outcome, token FROM idem.reserve('channel pay', 'early', '{"payee": "p", "amount": 88}');
CALL idem.dispatch('channel pay', 'early', 1, channel => 'bankA') \gset
SELECT outcome, settled, state FROM idem.complete('channel pay', 'early', 1, answer => '{"code": "4004"}');
SELECT outcome, settled, state, detail, retry_at > clock_timestamp() AS later FROM idem.resolve('channel pay', 'early', via => 'bankA/query',
    answer => '{"code": "4004", "asked": {"serial": "early"}}');
-- Later a person decides, where the channel says no more.
UPDATE idem.reservation SET dispatched_at = dispatched_at - interval '1 hour' WHERE key = 'early';
SELECT outcome, settled, state, detail FROM idem.resolve('channel pay', 'early', via => 'bankA/query',
    answer => '{"code": "4004", "asked": {"serial": "early"}}');
SELECT * FROM channel_open WHERE key = 'early';
SELECT outcome, settled, state FROM idem.resolve('channel pay', 'early', 'released', '{"phone": "not there"}', force => 'asked by phone');
-- Where two inquiries are enough: a quiet interval apart, with nothing else between them.
CALL channel_sent('absent', 'bankB');
SELECT outcome, state, detail FROM idem.resolve('channel pay', 'absent', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "absent-1"}}',
    asked_at => clock_timestamp() - interval '59 min');
SELECT outcome, state, detail FROM idem.resolve('channel pay', 'absent', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "absent-1"}}',
    asked_at => clock_timestamp() - interval '40 min');
SELECT outcome, state FROM idem.resolve('channel pay', 'absent', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "absent-1"}}',
    asked_at => clock_timestamp() - interval '35 min');
SELECT outcome, state FROM idem.resolve('channel pay', 'absent', via => 'bankB/query', answer => '{"code": "??", "asked": {"serial": "absent-1"}}',
    asked_at => clock_timestamp() - interval '34 min');
SELECT outcome, state FROM idem.resolve('channel pay', 'absent', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "absent-1"}}',
    asked_at => clock_timestamp() - interval '20 min');
SELECT outcome, state FROM idem.resolve('channel pay', 'absent', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "absent-1"}}',
    asked_at => clock_timestamp() - interval '5 min');
SELECT action, outcome, codes FROM channel_evidence WHERE key = 'absent';
-- Not where an answer under the same serial waits for a person; one under another serial says nothing of it.
CALL channel_sent('doubt', 'bankB');
SELECT outcome, state, mismatch FROM idem.resolve('channel pay', 'doubt', via => 'bankB/query', answer => '{"code": "OK", "serial": "doubt-1", "payee": "q"}');
SELECT outcome, state FROM idem.resolve('channel pay', 'doubt', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "doubt-1"}}',
    asked_at => clock_timestamp() - interval '30 min');
SELECT outcome, state, detail FROM idem.resolve('channel pay', 'doubt', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "doubt-1"}}',
    asked_at => clock_timestamp() - interval '15 min');
SELECT * FROM channel_open WHERE key = 'doubt';
SELECT outcome, state FROM idem.resolve('channel pay', 'doubt', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "doubt-1"}}', force => 'asked by phone');
CALL channel_sent('nodoubt', 'bankB');
SELECT outcome, state, mismatch FROM idem.resolve('channel pay', 'nodoubt', via => 'bankB/query', answer => '{"code": "OK", "serial": "doubt-1", "payee": "q"}');
SELECT outcome, state FROM idem.resolve('channel pay', 'nodoubt', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "nodoubt-1"}}',
    asked_at => clock_timestamp() - interval '30 min');
SELECT outcome, state FROM idem.resolve('channel pay', 'nodoubt', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "nodoubt-1"}}',
    asked_at => clock_timestamp() - interval '15 min');
-- Where such an answer comes after the release, the next attempt is neither reserved nor sent before a person has looked.
SELECT outcome, settled, state, mismatch FROM idem.resolve('channel pay', 'doubt', via => 'bankB/query', answer => '{"code": "OK", "serial": "doubt-1", "payee": "q"}');
SELECT outcome, granted, detail FROM idem.reserve('channel pay', 'doubt', '{"payee": "p", "amount": 88}');
SELECT outcome, settled, state, mismatch FROM idem.resolve('channel pay', 'nodoubt', via => 'bankB/query', answer => '{"code": "OK", "serial": "doubt-1", "payee": "q"}');
SELECT outcome, attempt, token FROM idem.reserve('channel pay', 'nodoubt', '{"payee": "p", "amount": 88}');
SELECT outcome, settled, state, mismatch FROM idem.resolve('channel pay', 'nodoubt', via => 'bankB/query', answer => '{"code": "OK", "serial": "nodoubt-1", "payee": "q"}');
CALL idem.dispatch('channel pay', 'nodoubt', 2, channel => 'bankB') \gset
\echo :outcome :granted :detail
-- The next attempt has a serial of its own.
SELECT outcome, attempt, serial FROM idem.reserve('channel pay', 'absent', '{"payee": "p", "amount": 88}');
CALL idem.dispatch('channel pay', 'absent', 2, channel => 'bankB') \gset
\echo :outcome :serial
-- A late answer names the first one's, and is told from the second's by it.
SELECT outcome, settled, state FROM idem.resolve('channel pay', 'absent', via => 'bankB/query', answer => '{"code": "OK", "serial": "absent-1", "payee": "p"}');
SELECT outcome, codes, state FROM channel_late WHERE key = 'absent';

-- Answer and notice, in both orders: two texts that say the same.
CALL channel_sent('order1', 'bankA');
SELECT outcome, settled FROM idem.complete('channel pay', 'order1', 1, answer => '{"code": "0000", "serial": "order1", "amount": 88}');
SELECT outcome, settled, reentrant FROM idem.resolve('channel pay', 'order1', via => 'bankA/notice', answer => '{"code": "SUCCESS", "serial": "order1", "amount": "88.00", "fee": 1}');
CALL channel_sent('order2', 'bankA');
SELECT outcome, settled FROM idem.resolve('channel pay', 'order2', via => 'bankA/notice', answer => '{"code": "SUCCESS", "serial": "order2", "amount": "88.00", "fee": 1}');
SELECT outcome, settled, reentrant FROM idem.complete('channel pay', 'order2', 1, answer => '{"code": "0000", "serial": "order2", "amount": 88}');
SELECT outcome, settled, response->>'code' AS code FROM idem.complete('channel pay', 'order2', 1, answer => '{"code": "9999"}');
-- And in both orders with one that contradicts: late, and kept.
SELECT outcome, settled, state FROM idem.resolve('channel pay', 'order1', via => 'bankA/notice', answer => '{"code": "FAIL", "serial": "order1"}');
CALL channel_sent('order3', 'bankA');
SELECT outcome, settled FROM idem.resolve('channel pay', 'order3', via => 'bankA/notice', answer => '{"code": "FAIL", "serial": "order3"}');
SELECT outcome, settled, state FROM idem.complete('channel pay', 'order3', 1, answer => '{"code": "0000", "serial": "order3", "amount": 88}');
SELECT key, outcome, codes, via, state FROM channel_late WHERE key LIKE 'order%';
-- About something else, once it is final: kept, changes nothing.
SELECT outcome, settled, state, mismatch FROM idem.resolve('channel pay', 'order2', via => 'bankA/notice', answer => '{"code": "SUCCESS", "serial": "order2", "amount": 99}');

-- Returned days later: recorded once, settled, of no concern.
SELECT outcome, settled, state, marks FROM idem.resolve('channel pay', 'po-1', via => 'bankA/notice',
    answer => '{"code": "RETURNED", "serial": "po-1", "returned_amount": 80, "business_date": "2018-07-20"}');
SELECT outcome, settled, state, marks, reentrant FROM idem.resolve('channel pay', 'po-1', via => 'bankA/notice',
    answer => '{"code": "RETURNED", "serial": "po-1", "returned_amount": 80, "business_date": "2018-07-20"}');
SELECT returned_on, returned_amount, due_at IS NULL AS no_concern FROM idem.reservation WHERE key = 'po-1';
SELECT outcome, settled, state, marks FROM idem.reserve('channel pay', 'po-1', '{"payee": "p", "amount": 88.00}');
-- Before anybody heard of the success: it took effect, and came back.
CALL channel_sent('back', 'bankA');
SELECT outcome, settled, state, marks FROM idem.resolve('channel pay', 'back', via => 'bankA/notice', answer => '{"code": "RETURNED", "serial": "back"}');
SELECT outcome, settled, reentrant FROM idem.resolve('channel pay', 'back', via => 'bankA/notice', answer => '{"code": "SUCCESS", "serial": "back", "amount": 88}');
-- After a failure it contradicts.
SELECT outcome, settled, state FROM idem.resolve('channel pay', 'system', via => 'bankA/notice', answer => '{"code": "RETURNED", "serial": "system"}');

-- With several attempts under one serial, only an inquiry tells that the last one failed.
CALL channel_sent('again', 'bankA');
SELECT outcome FROM idem.resolve('channel pay', 'again', 'released', '{"phone": 1}', force => 'asked by phone');
CALL channel_sent('again', 'bankA');
SELECT outcome, detail FROM idem.complete('channel pay', 'again', 2, answer => '{"code": "2001", "serial": "again"}');
SELECT outcome, detail FROM idem.resolve('channel pay', 'again', via => 'bankA/notice', answer => '{"code": "FAIL", "serial": "again"}');
SELECT outcome, detail FROM idem.resolve('channel pay', 'again', via => 'bankA/query', answer => '{"code": ["0000", "REFUSED"], "serial": "again"}',
    asked_at => clock_timestamp() - interval '55 min');
SELECT outcome, serial, attempt FROM idem.resolve('channel pay', 'again', via => 'bankA/query', answer => '{"code": ["0000", "REFUSED"], "serial": "again"}');

-- Not even where the codes of sending say so, which they cannot know.
SELECT * FROM idem.define_return_codes('bankB/pay', $$
| code | meaning   |
| ---- | --------- |
| OK   | succeeded |
| NO   | failed    |
| NONE | absent    |
$$, loosen => 'a mistake');
CALL channel_sent('none', 'bankB');
SELECT outcome, state, detail FROM idem.complete('channel pay', 'none', 1, answer => '{"code": "NONE", "serial": "none-1"}');

-- Of the quiet intervals of scope and channel the longer one counts.
SELECT idem.create_scope('channel quiet', 'outside', '{}', channels => '{bankB}', quiet => '2 hours');
SELECT outcome FROM idem.reserve('channel quiet', 'q', '{"payee": "p"}');
CALL idem.dispatch('channel quiet', 'q', 1) \gset
UPDATE idem.reservation SET dispatched_at = dispatched_at - interval '1 hour' WHERE key = 'q';
SELECT outcome, state, detail FROM idem.resolve('channel quiet', 'q', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "q-1"}}');
UPDATE idem.reservation SET dispatched_at = dispatched_at - interval '2 hours' WHERE key = 'q';
SELECT outcome, state, detail FROM idem.resolve('channel quiet', 'q', via => 'bankB/query', answer => '{"code": "NONE", "asked": {"serial": "q-1"}}');

-- A scope without channels has no codes.
SELECT idem.create_scope('channel none', 'outside', '{}');
SELECT outcome FROM idem.reserve('channel none', 'k');
CALL idem.dispatch('channel none', 'k', 1, channel => 'bankA') \gset
CALL idem.dispatch('channel none', 'k', 1) \gset
SELECT outcome FROM idem.complete('channel none', 'k', 1, answer => '{"code": "0000"}');
SELECT outcome FROM idem.resolve('channel none', 'k', via => 'bankA/query', answer => '{"code": "0000"}');

-- Before it was sent nobody answers it; without an answer a word counts by force
-- only, and then against what the codes say.
SELECT outcome FROM idem.reserve('channel pay', 'early', '{"payee": "p", "amount": 88}');
SELECT outcome, settled FROM idem.complete('channel pay', 'early', 1, answer => '{"code": "0000", "serial": "early", "amount": 88}');
SELECT state FROM idem.lookup('channel pay', 'early');
CALL channel_sent('told', 'bankA');
SELECT outcome, settled, detail FROM idem.resolve('channel pay', 'told', 'failed', '{"phone": "no"}');
SELECT outcome, settled FROM idem.resolve('channel pay', 'told', 'failed', '{"phone": "taken back"}', force => 'the bank has corrected it by phone',
    via => 'bankA/query', answer => '{"code": "0000/PAID", "serial": "told", "amount": 88}');
SELECT outcome, state, response FROM idem.reserve('channel pay', 'told', '{"payee": "p", "amount": 88}');
