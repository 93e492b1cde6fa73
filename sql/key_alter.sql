-- A scope becomes stricter without asking, looser only for a reason, and is
-- never dropped while something of it is open.  A key that is there is served
-- whatever is asked of new ones (wound 5).
CREATE FUNCTION claim_request(VARIADIC members text[]) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_object(members) $$;
SELECT idem.create_scope('claim alter', 'inside', '{amount}', keep => '1 year');
SELECT outcome FROM idem.claim('claim alter', 'old', claim_request('amount', '1', 'payer', 'a'));

-- Stricter: more fields, completion, a longer keep, keys of fewer forms.
SELECT idem.alter_scope('claim alter', fields => '{payer,amount}', keep => '2 years');
SELECT idem.alter_scope('claim alter', completion => 'required');
SELECT fields, completion, keep FROM idem.scope WHERE name = 'claim alter';
-- nothing given, or what is so already, is no change
SELECT idem.alter_scope('claim alter');
SELECT idem.alter_scope('claim alter', fields => '{payer,amount}', keep => '24 mons');
SELECT action, arguments, reason FROM idem.change_log WHERE name = 'claim alter' ORDER BY n;

-- Old keys agree in what was declared then and now; new ones in all of it.
SELECT outcome, mismatch FROM idem.claim('claim alter', 'old', claim_request('amount', '1', 'payer', 'b'));
SELECT outcome, mismatch FROM idem.claim('claim alter', 'old', claim_request('amount', '2', 'payer', 'b'));
-- a field declared later is asked of new keys only
SELECT outcome FROM idem.claim('claim alter', 'old', claim_request('amount', '1'));
SELECT outcome FROM idem.claim('claim alter', 'new', claim_request('amount', '1'));
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SELECT outcome FROM idem.claim('claim alter', 'new', claim_request('amount', '1', 'payer', 'a'));
SELECT outcome FROM idem.complete('claim alter', 'new', '{}');
COMMIT;
SELECT outcome, mismatch FROM idem.claim('claim alter', 'new', claim_request('amount', '1', 'payer', 'b'));

-- Looser: refused, then for a reason, which is kept.
SELECT idem.alter_scope('claim alter', fields => '{payer}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.alter_scope('claim alter', fields => '{}', force => ' ');
SELECT idem.alter_scope('claim alter', completion => 'optional');
SELECT idem.alter_scope('claim alter', keep => '23 mons');
SELECT idem.alter_scope('claim alter', charset => 'any');
SELECT idem.alter_scope('claim alter', fields => '{payer}', charset => 'any', force => 'amount moved to the key');
SELECT fields, charset FROM idem.scope WHERE name = 'claim alter';
SELECT action, arguments, reason FROM idem.change_log WHERE name = 'claim alter' ORDER BY n DESC LIMIT 1;
SELECT outcome, mismatch FROM idem.claim('claim alter', 'new', claim_request('amount', '9', 'payer', 'a'));
SELECT outcome, mismatch FROM idem.claim('claim alter', 'new', claim_request('amount', '9', 'payer', 'b'));
-- a key claimed under {amount} and one under {payer} have nothing in common
SELECT outcome, mismatch FROM idem.claim('claim alter', 'old', claim_request('payer', 'z'));

-- What cannot be: all members, when some were not kept.
SELECT idem.alter_scope('claim alter', fields => '{*}', force => 'all of them');
\echo :LAST_ERROR_SQLSTATE
-- the other way it can
SELECT idem.create_scope('claim all', 'inside', '{*}');
SELECT outcome FROM idem.claim('claim all', 'old', claim_request('amount', '1', 'trace', 'x'));
SELECT idem.alter_scope('claim all', fields => '{amount}');
SELECT idem.alter_scope('claim all', fields => '{amount}', force => 'traces differ');
SELECT outcome FROM idem.claim('claim all', 'old', claim_request('amount', '1', 'trace', 'y'));
SELECT outcome, mismatch FROM idem.claim('claim all', 'old', claim_request('amount', '2'));

-- Parts: from any to a number is stricter, another number is not.
SELECT idem.create_scope('claim parts', 'inside', '{}');
SELECT idem.alter_scope('claim parts', parts => 2);
SELECT idem.alter_scope('claim parts', parts => 3);
SELECT outcome FROM idem.claim('claim parts', idem.key('a', 'b'));
SELECT idem.claim('claim parts', 'a');

-- Of effects outside: quiet is a promise, lease and ladder are not.
SELECT idem.create_scope('claim out', 'outside', '{}');
SELECT idem.alter_scope('claim out', quiet => '20 min', lease => '10 s', ladder => '{1 min}');
SELECT idem.alter_scope('claim out', lease => '1 h', ladder => '{1 min,1 h}');
SELECT idem.alter_scope('claim out', quiet => '19 min');
SELECT quiet, lease, ladder FROM idem.scope WHERE name = 'claim out';
SELECT idem.alter_scope('claim out', completion => 'required');
\echo :LAST_ERROR_SQLSTATE

-- Checked as a declaration is.
SELECT idem.alter_scope('claim alter', keep => '-1 day', force => 'x');
SELECT idem.alter_scope('claim alter', fields => '{a,a}', force => 'x');
SELECT idem.alter_scope('claim alter', completion => 'later', force => 'x');
SELECT idem.alter_scope('claim alter', parts => 0, force => 'x');
SELECT idem.alter_scope('claim out', lease => '0', force => 'x');
SELECT idem.alter_scope(NULL);
SELECT idem.alter_scope('claim nosuch', keep => '1 day');
\echo :LAST_ERROR_SQLSTATE

-- Whether a claim's commit is flushed, whatever synchronous_commit says.
SELECT idem.create_scope('claim flush', 'inside', '{}');
SELECT idem.alter_scope('claim flush', flush => false);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.alter_scope('claim flush', flush => false, force => 'speed matters more');
SELECT idem.alter_scope('claim flush', flush => true);
SELECT flush, standbys FROM idem.scope WHERE name = 'claim flush';
SELECT idem.create_scope('claim x', 'inside', '{}', flush => NULL);
SELECT idem.create_scope('claim x', 'outside', '{}', flush => false);
SELECT idem.alter_scope('claim out', flush => false, force => 'x');

-- How many standbys have to be required before anything is reserved or sent.
SELECT idem.create_scope('claim standbys', 'outside', '{}');
SELECT outcome FROM idem.reserve('claim standbys', 'before');
SELECT idem.alter_scope('claim standbys', standbys => 2);
SELECT idem.reserve('claim standbys', 'k');
\echo :LAST_ERROR_SQLSTATE
CALL idem.dispatch('claim standbys', 'before', 1);
SELECT outcome, state FROM idem.lookup('claim standbys', 'before');
-- what is done is kept, and settled when that many have it
SELECT outcome, settled, detail FROM idem.fence('claim standbys', 'before', 'cancelled');
SELECT outcome, state, settled, detail FROM idem.lookup('claim standbys', 'before');
SELECT idem.alter_scope('claim standbys', standbys => 0);
SELECT idem.alter_scope('claim standbys', standbys => 0, force => 'there is only this one');
SELECT outcome, state, settled FROM idem.lookup('claim standbys', 'before');
SELECT idem.alter_scope('claim standbys', standbys => -1, force => 'x');
SELECT idem.alter_scope('claim flush', standbys => 1);
SELECT idem.drop_scope('claim standbys', force => 'tried');
SELECT idem.drop_scope('claim flush');

-- Dropping: a scope without keys goes; one with keys for a reason.
SELECT idem.create_scope('claim empty', 'inside', '{}');
SELECT idem.drop_scope('claim empty');
SELECT idem.drop_scope('claim empty');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.drop_scope('claim alter');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) AS keys FROM idem.anchor a JOIN idem.scope s ON s.id = a.scope WHERE s.name = 'claim alter';
SELECT idem.drop_scope('claim alter', force => 'declared by mistake');
SELECT action, arguments, reason FROM idem.change_log WHERE name = 'claim alter' ORDER BY n DESC LIMIT 1;
SELECT idem.claim('claim alter', 'old');
SELECT count(*) AS orphans FROM idem.anchor WHERE scope NOT IN (SELECT id FROM idem.scope);
-- the next one of that name knows nothing of it
SELECT idem.create_scope('claim alter', 'inside', '{}');
SELECT outcome FROM idem.claim('claim alter', 'old');
-- a claim that is not final: of this transaction
BEGIN;
SELECT outcome FROM idem.claim('claim alter', 'open');
SELECT idem.drop_scope('claim alter', force => 'now');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
-- and of an effect outside, until it is
SELECT outcome FROM idem.reserve('claim out', 'k');
SELECT idem.drop_scope('claim out', force => 'now');
\echo :LAST_ERROR_SQLSTATE
SELECT outcome FROM idem.fence('claim out', 'k', 'not needed any more');
SELECT idem.drop_scope('claim out', force => 'now');
SELECT count(*) AS orphans FROM idem.reservation WHERE scope NOT IN (SELECT id FROM idem.scope);
SELECT idem.drop_scope('claim alter', force => '');
SELECT idem.drop_scope(NULL);

DROP FUNCTION claim_request;
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.scope WHERE name LIKE 'claim %';
