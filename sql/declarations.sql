--
-- declarations: everything that was declared, as a script (first day 16)
--
-- That the script makes another database the same is in 525_declarations.pl.
--
CREATE SCHEMA declarations;
SET search_path = declarations;
SET client_min_messages = warning;

-- ------------------------------------------------------------ nothing is left out
-- Each kind of guard says what declares it, or comes with another kind: a row
-- here is a kind that the script would lack.
SELECT kind, function FROM idem.guard_kinds()
    WHERE part = 'row' AND declares IS NULL AND kind <> 'repeats'; -- with keys
-- Each of its settings is an argument of that function, but for what a
-- declaration finds by itself, and the state column, which has another name.
SELECT k.kind, s AS setting FROM idem.guard_kinds() k, unnest(k.settings) s
    WHERE k.declares IS NOT NULL
          AND s <> ALL (ARRAY(SELECT unnest(p.proargnames) FROM pg_proc p
                              WHERE p.pronamespace = 'idem'::regnamespace AND p.proname = k.declares))
    ORDER BY 1, 2;
-- Each table of what is declared is read by a part of the script; the others
-- hold what happened, or whose database it is: a policy of two persons is none
-- of a database for tests.  A new table is on one of both sides.
SELECT c.oid::regclass AS forgotten FROM pg_extension e, unnest(e.extconfig) t JOIN pg_class c ON c.oid = t
    WHERE e.extname = 'idem'
          AND c.relname NOT IN ('change', 'anchor', 'reservation', 'attempt', 'sighting', 'suspect', 'late_result', 'evidence', 'transition_log',
                                'serial_day', 'pause', 'approval',
                                'policy', 'site', 'reconciled', 'reconciled_sum', 'difference', 'difference_log')
          AND NOT EXISTS (SELECT FROM pg_depend d
                          JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
                          JOIN pg_class v ON v.oid = r.ev_class AND v.relname ~ '_declarations$'
                          WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid)
    ORDER BY 1;

-- --------------------------------------------------------- a guard of each kind
SELECT FROM idem.define_machine('declarations_pay', $$
stateDiagram-v2
    %% a quote ' and a backslash \ in the text stay
    [*] --> created
    created --> paid
    paid --> [*]
$$);
SELECT idem.create_scope('declarations in', effect => 'inside', fields => '{user,"a b"}');
SELECT idem.create_scope('declarations out', effect => 'outside', fields => '{*}', lease => '2 min', ladder => '{1s,1h}', keep => '90 days');
CREATE TABLE "Pay ment" (id bigint PRIMARY KEY, amount money_micro NOT NULL, currency text NOT NULL, "the state" text NOT NULL, message text NOT NULL, note text);
CREATE TABLE refund (id bigint PRIMARY KEY, payment bigint NOT NULL REFERENCES "Pay ment", amount money_micro NOT NULL, currency text NOT NULL, status text, booked date);
CREATE TABLE chargeback (LIKE refund INCLUDING ALL, FOREIGN KEY (payment) REFERENCES "Pay ment");
CREATE TABLE payout (id bigint PRIMARY KEY, key text NOT NULL, status text NOT NULL);
CREATE TABLE log (id bigint);
CREATE TABLE request (key text PRIMARY KEY, body jsonb NOT NULL, answer jsonb);
CREATE TABLE effect (id bigint PRIMARY KEY, key text NOT NULL);
SELECT idem.guard_states('"Pay ment"', 'the state', 'declarations_pay', delete => 'final', actor => 'app.user');
SELECT idem.guard_limit('refund', 'payment', amount => 'amount', cap => 'amount', used => 'refunded', state => 'status', released => '{failed,"gave up"}',
                        same => '{"currency":"currency"}', count_cap => 5, count_used => 'refunds', cap_grows => true);
SELECT idem.guard_limit('chargeback', 'payment', amount => 'amount', cap => 'amount', used => 'refunded', state => 'status', released => '{}', facts => '{*}', cap_grows => true);
SELECT idem.guard_fixed('"Pay ment"', '{amount,currency}', once => '{note}');
SELECT idem.guard_kept('log');
SELECT idem.guard_claimed('"Pay ment"', key => '{message}', scope => 'declarations in');
SELECT idem.guard_claimed('payout', key => '{key}', scope => 'declarations out', state => 'status', claimed => '{"paid":"{succeeded}","it''s":"{reserved,dispatched}"}');
SELECT idem.guard_keys('request', '{key}', request => 'body', fields => '{*}', response => 'answer');
SELECT idem.guard_claimed('effect', key => '{key}', keys => 'request');
CREATE TABLE account (id bigint PRIMARY KEY, lower money_micro NOT NULL, status text NOT NULL DEFAULT 'open');
CREATE TABLE entry (id bigint PRIMARY KEY, account bigint NOT NULL REFERENCES account, refund bigint NOT NULL REFERENCES refund, amount money_micro NOT NULL, status text NOT NULL);
SELECT idem.guard_balance('entry', 'account', amount => 'amount', balance => 'balance', floor => 'lower', state => 'status', pending => '{held}', released => '{gone}');
SELECT idem.guard_journal('entry', 'refund', amount => 'amount', state => 'status', released => '{}', pending => '{held}', closed => false);
CREATE INDEX ON entry (refund);
CREATE INDEX ON entry (account);
SELECT idem.guard_parent_state('entry', 'refund', state => 'status', parent_state => 'status', allowed => '{"posted":"{asked,\"at last\"}","*":"{*}"}', facts => '{late}');
SELECT idem.guard_parent_state('entry', 'account', parent_state => 'status', allowed => '{"*":"{open}"}', judge => 'entry', deferred => true);
SELECT idem.create_reconciliation('declarations rule', 'refund', 'chargeback', '{id}', agree => '{currency}', day => 'booked', tolerance => 0.01, grace => '1 day', group_by => 'both');
CREATE VIEW script AS SELECT row_number() OVER () AS n, d FROM idem.declarations() d WHERE d ~ 'declarations';
SELECT d FROM script ORDER BY n;
-- The same again changes nothing: each of them is passed over, and the script
-- stays the same.
CREATE TEMP TABLE before AS SELECT * FROM script;
CREATE TEMP TABLE log_before AS SELECT count(*) FROM idem.change;
DO $$
DECLARE statement text;
BEGIN
    FOR statement IN SELECT d FROM before ORDER BY n LOOP
        EXECUTE statement;
    END LOOP;
END $$;
SELECT * FROM script EXCEPT SELECT * FROM before;
SELECT * FROM before EXCEPT SELECT * FROM script;
SELECT * FROM log_before EXCEPT SELECT count(*) FROM idem.change;
-- which is said; another declaration is refused, and says what differs (14)
SET client_min_messages = notice;
SELECT idem.create_scope('declarations in', effect => 'inside', fields => '{"a b",user}');
SELECT idem.create_scope('declarations in', effect => 'inside', fields => '{user}', keep => '1 day');
SET client_min_messages = warning;

-- A trigger that somebody put on a table by hand is not declared.
CREATE TABLE by_hand (id int PRIMARY KEY);
CREATE TRIGGER t AFTER UPDATE OR DELETE ON by_hand FOR EACH ROW EXECUTE FUNCTION idem.keep_rows('idem=1', 'columns={id}');
SELECT d FROM script WHERE d ~ 'by_hand';

-- ---------------------------------------------------------------- who may
CREATE ROLE regress_declarations;
GRANT USAGE ON SCHEMA declarations TO regress_declarations;
SET ROLE regress_declarations;
SELECT count(*) FROM idem.declarations();
SELECT idem.guard_declaration('log', 'idem_kept');
RESET ROLE;
SELECT idem.grant_admin('regress_declarations');
SET ROLE regress_declarations;
SELECT count(*) > 10 AS some FROM idem.declarations();
RESET ROLE;

DROP SCHEMA declarations CASCADE;
SELECT idem.drop_scope(s) FROM unnest('{declarations in,declarations out}'::text[]) s;
DELETE FROM idem.machine WHERE name = 'declarations_pay';
SELECT idem.drop_reconciliation('declarations rule', 'the test is over');
DROP OWNED BY regress_declarations;
DROP ROLE regress_declarations;
