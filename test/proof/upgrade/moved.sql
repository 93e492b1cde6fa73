--
-- After pg_upgrade, which makes another cluster of it: nothing is sent until an
-- operator has adopted the site.  A line each, as checks.sql has them.
--
SET client_min_messages = error;
CREATE FUNCTION pg_temp.say(what text, got text, wanted text) RETURNS text LANGUAGE sql AS
    $$SELECT CASE WHEN got IS NOT DISTINCT FROM wanted THEN 'ok|' || what ELSE concat_ws('|', 'WRONG', what, got) END$$;
SELECT pg_temp.say('the doctor knows', count(*)::text, '1') FROM idem.doctor() WHERE finding LIKE 'nothing is sent from here: the database is a copy%';
SELECT pg_temp.say('a new key', (idem.reserve('out', 'after', '{"amount": 1}')).outcome, 'misplaced');
CALL idem.dispatch('out', 'reserved', 1) \gset d_
SELECT pg_temp.say('a reserved key', :'d_outcome', 'misplaced');
SELECT pg_temp.say('an effect inside', (idem.claim('in', 'after', '{"amount": 1}')).outcome, 'granted');
-- the second person is not here
DELETE FROM idem.policy;
SELECT pg_temp.say('adopted', unknown::text, '0') FROM idem.adopt_site('pg_upgrade', lost => '0');
SELECT pg_temp.say('a new key', (idem.reserve('out', 'after', '{"amount": 1}')).outcome, 'reserved');
CALL idem.dispatch('out', 'reserved', 1) \gset d_
SELECT pg_temp.say('a reserved key', :'d_outcome', 'granted');
CALL idem.dispatch('out', 'dispatched', 1) \gset d_
SELECT pg_temp.say('a key that was sent', :'d_granted', 'f');
SELECT pg_temp.say('the doctor is quiet', count(*)::text, '0') FROM idem.doctor() WHERE finding LIKE 'nothing is sent from here%';
