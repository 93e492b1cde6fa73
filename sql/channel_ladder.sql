--
-- channel_ladder: whose inquiries are answered about something else every time
-- comes before a person, as one does who gets no answer
--
SET client_min_messages = warning;
SELECT count(*) FROM idem.define_return_codes('ladder/pay', E'|code|meaning|\n|---|---|\n|0000|succeeded|');
SELECT count(*) FROM idem.define_return_codes('ladder/query', E'|code|meaning|\n|---|---|\n|PAID|succeeded|\n|WAIT|unknown|');
SELECT idem.create_channel('ladder', send => 'ladder/pay', inquire => 'ladder/query', serial => '{key}', serial_per => 'key',
                           echo => '{serial,amount}');
SELECT idem.create_scope('ladder', 'outside', '{amount}', channels => '{ladder}', ladder => '{1 min,1 min,1 min}');
-- asks about what is due, a minute later than before, and hands on the answer
CREATE FUNCTION pg_temp.ask(answer jsonb) RETURNS TABLE (why text, step int, state text, mismatch text[]) AS $$
    UPDATE idem.reservation r SET due_at = clock_timestamp() - interval '1 s'
        FROM idem.scope s WHERE s.id = r.scope AND s.name = 'ladder' AND r.due_at IS NOT NULL;
    SELECT d.why, d.step, (r.r).state, (r.r).mismatch
    FROM idem.due('ladder') d,
         LATERAL (SELECT CASE d.why WHEN 'inquire' THEN idem.resolve('ladder', d.key, via => 'ladder/query', answer => $1) END OFFSET 0) r (r)
$$ LANGUAGE sql;

SELECT outcome FROM idem.reserve('ladder', 'part', '{"amount": 88}');
CALL idem.dispatch('ladder', 'part', 1) \gset
-- a part was paid, which this channel does not record: the first word of it puts the key before somebody at once
SELECT outcome, state, mismatch FROM idem.complete('ladder', 'part', 1, answer => '{"code": "0000", "serial": "part", "amount": 44}');
SELECT state, why, step, due_at <= clock_timestamp() AS due FROM idem.open_claims WHERE scope = 'ladder';
-- ... the same from the bank, each time that it is asked: one rung after the other
SELECT * FROM pg_temp.ask('{"code": "PAID", "serial": "part", "amount": 44}');
SELECT due_at <= clock_timestamp() AS due FROM idem.open_claims WHERE scope = 'ladder';
SELECT * FROM pg_temp.ask('{"code": "PAID", "serial": "part", "amount": 44}');
SELECT * FROM pg_temp.ask('{"code": "PAID", "serial": "part", "amount": 44}');
SELECT * FROM pg_temp.ask('{"code": "PAID", "serial": "part", "amount": 44}');
SELECT * FROM pg_temp.ask('{"code": "PAID", "serial": "part", "amount": 44}');
-- and what was said is there for whom it comes before
SELECT l.outcome, l.codes, l.mismatch, count(*) FROM idem.late_result l JOIN idem.scope s ON s.id = l.scope WHERE s.name = 'ladder'
GROUP BY 1, 2, 3 ORDER BY 2;
SELECT outcome, settled, state FROM idem.resolve('ladder', 'part', 'succeeded', '{"phone": "44 of 88"}', force => 'the bank was asked by phone');
SELECT count(*) FROM idem.open_claims WHERE scope = 'ladder';
