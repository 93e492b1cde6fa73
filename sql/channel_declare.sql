--
-- Channels: declaring, altering, dropping; and the scopes that name them.
--
SET client_min_messages = notice;
SELECT count(*) AS codes FROM idem.define_return_codes('decl/pay', $$
| code | meaning   |
| ---- | --------- |
| 00   | succeeded |
$$);
SELECT count(*) AS codes FROM idem.define_return_codes('decl/query', $$
| code | meaning |
| ---- | ------- |
| 44   | absent  |
| 05   | failed  |
$$);
SELECT idem.create_channel('decl', send => 'decl/pay', inquire => 'decl/query', echo => '{amount}');
-- The same again changes nothing; another one of the name is refused.
SELECT idem.create_channel('decl', send => 'decl/pay', inquire => 'decl/query', echo => '{amount}');
SELECT idem.create_channel('decl', send => 'decl/pay', echo => '{amount}');
SELECT action, kind, name, arguments FROM idem.change_log WHERE kind = 'channel' AND name = 'decl' ORDER BY n;

-- What cannot be kept.
SELECT idem.create_channel(NULL, send => 'decl/pay');
SELECT idem.create_channel('', send => 'decl/pay');
SELECT idem.create_channel(' x', send => 'decl/pay');
SELECT idem.create_channel('x');
SELECT idem.create_channel('x', send => 'decl/pay', echo => NULL);
SELECT idem.create_channel('x', send => 'nowhere');
SELECT idem.create_channel('x', inquire => 'decl/query');
SELECT idem.create_channel('x', send => 'decl/query', inquire => 'decl/pay');
SELECT idem.create_channel('x', send => 'decl/pay', inquire => 'decl/pay');
SELECT idem.create_channel('x', send => 'decl/pay', serial => '{key}');
SELECT idem.create_channel('x', send => 'decl/pay', serial => '{key}', serial_per => 'day');
SELECT idem.create_channel('x', send => 'decl/pay', serial_max => 5);
SELECT idem.create_channel('x', send => 'decl/pay', echo => '{amount,amount}');
SELECT idem.create_channel('x', send => 'decl/pay', echo => '{code}');
SELECT idem.create_channel('x', send => 'decl/pay', absence => 'never');
SELECT idem.create_channel('x', send => 'decl/pay', absence => 'inquiry');
SELECT idem.create_channel('x', send => 'decl/pay', quiet => '1 month');
SELECT idem.create_channel('x', send => 'decl/pay', partial => 'record');
SELECT idem.create_channel('x', send => 'decl/pay', presume_days => 3);
SELECT idem.create_channel('x', send => 'decl/pay', idempotency_window => '0');
SELECT idem.create_channel('x', send => 'decl/pay', calendar => 'nowhere');
SELECT count(*) FROM idem.channel WHERE name = 'x';

-- A scope names channels that are there; they stay as long as it does.
SELECT idem.create_scope('decl none', 'outside', '{}', channels => '{nobody}');
SELECT idem.create_scope('decl inside', 'inside', '{}', channels => '{decl}');
SELECT idem.create_scope('decl pay', 'outside', '{amount}', channels => '{decl}', keep_answers => 'fields');
SELECT idem.drop_channel('decl');
SELECT idem.drop_channel('nobody');
-- Looser wants a reason.
SELECT idem.alter_channel('decl', echo => '{}');
SELECT idem.alter_channel('decl', quiet => '1 min');
SELECT idem.alter_channel('decl', absence => 'inquiry');
SELECT idem.alter_channel('decl', inquire => 'decl/pay');
SELECT idem.alter_channel('decl', quiet => '20 min', echo => '{amount,currency}');
SELECT idem.alter_channel('decl', quiet => '20 min');
SELECT idem.alter_channel('decl', quiet => '5 min', force => 'the bank says so');
SELECT idem.alter_channel('nobody', quiet => '5 min');
SELECT action, name, arguments, reason FROM idem.change_log WHERE kind = 'channel' AND name = 'decl' AND action <> 'declared' ORDER BY n;
SELECT idem.alter_scope('decl pay', channels => '{}');
SELECT idem.alter_scope('decl pay', keep_answers => 'whole');
SELECT idem.alter_scope('decl pay', channels => '{decl,decl}');
-- A request that lacks what the channel echoes is not sent: no answer could be about it.
SELECT token FROM idem.reserve('decl pay', 'k', '{"amount": 1}');
CALL idem.dispatch('decl pay', 'k', 1) \gset
SELECT state FROM idem.lookup('decl pay', 'k');
-- Nor is a channel dropped by which something is under way, whatever the scope names since.
SELECT token FROM idem.reserve('decl pay', 'm', '{"amount": 1, "currency": "CNY", "name": "secret"}');
CALL idem.dispatch('decl pay', 'm', 1) \gset
SELECT idem.alter_scope('decl pay', channels => '{}', force => 'test');
SELECT idem.drop_channel('decl');
-- Its codes tell even so.
SELECT outcome, detail FROM idem.complete('decl pay', 'm', 1, 'failed', '{"code": "00", "amount": 1, "iban": "DE02", "currency": "CNY"}');
SELECT idem.alter_scope('decl pay', channels => '{decl}');
-- Of its answers, code, echo and declared fields are kept.
SELECT outcome, response FROM idem.complete('decl pay', 'm', 1, answer => '{"code": "00", "amount": 1, "iban": "DE02", "currency": "CNY"}');
SELECT outcome, response FROM idem.reserve('decl pay', 'm', '{"amount": 1, "currency": "CNY"}');
SELECT outcome, mismatch FROM idem.resolve('decl pay', 'm', via => 'decl/query', answer => '{"code": "05", "amount": 2, "iban": "DE02"}');
SELECT response, mismatch FROM idem.late_result l JOIN idem.scope s ON s.id = l.scope WHERE s.name = 'decl pay' ORDER BY n;
-- Also of a bank by which the key never went.
SELECT count(*) AS codes FROM idem.define_return_codes('decl/other', E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |\n');
SELECT idem.create_channel('decl other', send => 'decl/other');
SELECT idem.alter_scope('decl pay', channels => '{decl,decl other}', force => 'test');
SELECT outcome, mismatch FROM idem.resolve('decl pay', 'm', via => 'decl/other', answer => '{"code": "00", "amount": 1, "iban": "DE02"}');
SELECT count(*) AS kept FROM idem.late_result l JOIN idem.scope s ON s.id = l.scope WHERE s.name = 'decl pay' AND l::text ~ 'DE02';

-- A key of a scope whose keys others number: after its time a repeat is another request.
SELECT idem.create_scope('decl number', 'inside', '{}', repeat_within => '90 days');
SELECT idem.create_scope('decl bad', 'inside', '{}', repeat_within => '3 months');
SELECT outcome, granted FROM idem.claim('decl number', '000001');
SELECT outcome, granted, settled FROM idem.claim('decl number', '000001');
UPDATE idem.anchor SET first_seen = first_seen - interval '91 days' WHERE key = '000001';
SELECT outcome, granted, settled, response, detail FROM idem.claim('decl number', '000001');
SELECT outcome FROM idem.lookup('decl number', '000001');
SELECT idem.create_scope('decl number out', 'outside', '{}', repeat_within => '90 days');
SELECT outcome FROM idem.fence('decl number out', '000001', 'cancelled');
SELECT outcome, settled FROM idem.reserve('decl number out', '000001');
UPDATE idem.reservation SET first_seen = first_seen - interval '91 days' WHERE key = '000001';
SELECT outcome, granted, settled FROM idem.reserve('decl number out', '000001');

-- Stop one channel: what was sent is settled, what is reserved stays so.
SELECT idem.create_scope('decl stop', 'outside', '{}', channels => '{decl}');
SELECT idem.pause('channel', 'nobody', reason => 'test');
SELECT * FROM idem.pause('channel', 'decl', reason => 'the bank pays twice');
SELECT outcome, token FROM idem.reserve('decl stop', 'p', '{"amount": 1, "currency": "CNY"}');
CALL idem.dispatch('decl stop', 'p', 1) \gset
\echo :outcome :granted :settled :state
SELECT idem.resume('channel', 'decl', reason => 'mended');
CALL idem.dispatch('decl stop', 'p', 1) \gset
\echo :outcome :granted :channel
-- How many attempts went by it and may still take effect
SELECT * FROM idem.pause('channel', 'decl', reason => 'again');
SELECT idem.resume('channel', 'decl', reason => 'mended');
