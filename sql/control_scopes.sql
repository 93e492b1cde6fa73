--
-- An application works in the scopes that grant_runtime named for it, and what
-- overrules needs another right.
--
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE regress_scopes_old;
CREATE ROLE regress_scopes_pay;
CREATE ROLE regress_scopes_hand;
CREATE ROLE regress_scopes_group;
CREATE ROLE regress_scopes_member IN ROLE regress_scopes_pay;
CREATE ROLE regress_scopes_operator;
SELECT idem.create_scope('scopes debit', effect => 'inside', fields => '{}');
SELECT idem.create_scope('scopes payout', effect => 'outside', fields => '{}', quiet => '1 hour', ladder => '{1 us}');
SELECT idem.grant_runtime('regress_scopes_old');
SELECT idem.grant_operator('regress_scopes_operator');
DO $$
DECLARE f regprocedure;
BEGIN
    FOR f IN SELECT p.oid FROM pg_proc p JOIN idem.rights r ON r.function = p.proname
             WHERE p.pronamespace = 'idem'::regnamespace AND r.audience = 'runtime' LOOP
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO regress_scopes_hand', f);
    END LOOP;
END
$$;
-- What a role gets to hear in each scope
CREATE FUNCTION pg_temp.hears(role text) RETURNS TABLE (call text, hears text) LANGUAGE plpgsql AS $$
BEGIN
    FOREACH call IN ARRAY ARRAY[
        $q$claim('scopes debit', 'k')$q$, $q$claim_many('scopes debit', '{k}')$q$, $q$complete('scopes debit', 'k', '{}')$q$,
        $q$lookup('scopes debit', 'k')$q$, $q$fence('scopes debit', 'k', 'x')$q$,
        $q$reserve('scopes payout', 'k')$q$, $q$heartbeat('scopes payout', 'k', 1)$q$, $q$release('scopes payout', 'k', 1)$q$,
        $q$complete('scopes payout', 'k', 1, 'unknown')$q$, $q$resolve('scopes payout', 'k', 'failed', '{"a":1}')$q$,
        $q$due('scopes payout')$q$, $q$lookup('scopes payout', 'k')$q$] LOOP
        BEGIN
            EXECUTE format('SET LOCAL ROLE %I', role);
            EXECUTE 'SELECT FROM idem.' || call;
            hears := 'passed';
            RESET ROLE;
            RAISE EXCEPTION 'undo' USING ERRCODE = 'UNDO0';
        EXCEPTION
            WHEN SQLSTATE 'UNDO0' THEN NULL;
            WHEN insufficient_privilege THEN hears := SQLERRM;
            WHEN OTHERS THEN hears := 'passed'; -- as far as rights go
        END;
        RESET ROLE;
        RETURN NEXT;
    END LOOP;
END
$$;

-- While nobody is limited, whoever may call may call for every scope.
SELECT r AS role, hears, count(*) FROM unnest('{regress_scopes_old,regress_scopes_hand}'::text[]) r, pg_temp.hears(r)
    GROUP BY 1, 2 ORDER BY 1, 2;

-- From the first role on that is limited, each works where it was told: a role that grant_runtime
-- was never called for nowhere.
SELECT idem.grant_runtime('regress_scopes_pay', scopes => '{scopes payout}');
SELECT call, hears FROM pg_temp.hears('regress_scopes_pay');
SELECT r AS role, hears, count(*) FROM unnest('{regress_scopes_old,regress_scopes_hand,regress_scopes_member}'::text[]) r, pg_temp.hears(r)
    GROUP BY 1, 2 ORDER BY 1, 2;
SET ROLE regress_scopes_pay;
CALL idem.dispatch('scopes debit', 'k', 1);
SELECT idem.claim('scopes debit', 'k');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- A member has what its group has beside what it has itself.
GRANT regress_scopes_group TO regress_scopes_member;
SELECT idem.grant_runtime('regress_scopes_group', scopes => '{scopes debit}');
SELECT hears, count(*) FROM pg_temp.hears('regress_scopes_member') GROUP BY 1;
-- The last word counts, in a session that has heard another one, too.
SELECT idem.grant_runtime('regress_scopes_pay', scopes => '{scopes debit,scopes payout}');
SELECT hears, count(*) FROM pg_temp.hears('regress_scopes_pay') GROUP BY 1;
SELECT idem.grant_runtime('regress_scopes_pay', scopes => '{scopes debit}');
SELECT hears, count(*) FROM pg_temp.hears('regress_scopes_pay') GROUP BY 1 ORDER BY 1;
-- A role that is renamed is refused, not let through.
ALTER ROLE regress_scopes_pay RENAME TO regress_scopes_paid;
SELECT hears, count(*) FROM pg_temp.hears('regress_scopes_paid') GROUP BY 1 ORDER BY 1;
ALTER ROLE regress_scopes_paid RENAME TO regress_scopes_pay;
-- Operators resolve in every scope.
SET ROLE regress_scopes_operator;
SELECT outcome FROM idem.lookup('scopes payout', 'k');
RESET ROLE;
-- A SECURITY DEFINER function works where its owner does.
CREATE FUNCTION public.regress_scopes_lookup() RETURNS text LANGUAGE sql SECURITY DEFINER
    AS $$ SELECT outcome FROM idem.lookup('scopes debit', 'k') $$;
ALTER FUNCTION public.regress_scopes_lookup() OWNER TO regress_scopes_pay;
SET ROLE regress_scopes_old;
SELECT public.regress_scopes_lookup();
RESET ROLE;
DROP FUNCTION public.regress_scopes_lookup();

-- What can be named
SELECT idem.grant_runtime('regress_scopes_pay', scopes => '{}');
SELECT idem.grant_runtime('regress_scopes_pay', scopes => '{no such}');
SELECT idem.grant_runtime('regress_scopes_pay', scopes => '{scopes debit,NULL}');
SELECT idem.grant_runtime('regress_scopes_pay', scopes => '{{scopes debit},{no such}}');
SELECT role, scopes FROM idem.runtime_role WHERE role LIKE 'regress\_scopes\_%' ORDER BY role;
SELECT arguments[cardinality(arguments)] AS scopes FROM idem.change_log
    WHERE action = 'granted' AND name = 'regress_scopes_pay' ORDER BY n DESC LIMIT 3;
DELETE FROM idem.runtime_role WHERE scopes IS NOT NULL;
SELECT hears, count(*) FROM pg_temp.hears('regress_scopes_hand') GROUP BY 1;

-- The application alone sent one payment twice (0.1): dispatch, resolve with force that it never
-- arrived, reserve, dispatch.  Now its force is refused.
SET ROLE regress_scopes_old;
SELECT outcome, token FROM idem.reserve('scopes payout', 'po-1');
CALL idem.dispatch('scopes payout', 'po-1', 1) \gset
\echo :outcome :granted
SELECT idem.resolve('scopes payout', 'po-1', 'released', '{"by":"me"}', force => 'retry');
\echo :LAST_ERROR_SQLSTATE
SELECT outcome, state FROM idem.resolve('scopes payout', 'po-1', 'released', '{"by":"me"}');
SELECT outcome FROM idem.reserve('scopes payout', 'po-1');
-- And it cannot dismiss the late result that tells: of a key that waits for a person it only keeps
-- what it brings.
SELECT outcome FROM idem.complete('scopes payout', 'po-1', 1, 'failed', '{"bank":"no"}');
SELECT outcome FROM idem.complete('scopes payout', 'po-1', 1, 'succeeded', '{"bank":"yes"}');
SELECT idem.resolve('scopes payout', 'po-1', 'failed', '{"by":"me"}', force => 'tidy up');
SELECT outcome, reentrant FROM idem.resolve('scopes payout', 'po-1', 'failed', '{"by":"me"}');
RESET ROLE;
SELECT why FROM idem.open_claims WHERE scope = 'scopes payout' AND key = 'po-1';

-- The same of an attempt that is out, beside a late result of the one before.
SELECT FROM idem.alter_scope('scopes payout', quiet => '0', force => 'test');
SET ROLE regress_scopes_old;
SELECT outcome, token FROM idem.reserve('scopes payout', 'po-2');
CALL idem.dispatch('scopes payout', 'po-2', 1) \gset
SELECT outcome FROM idem.resolve('scopes payout', 'po-2', 'released', '{"bank":"never heard of it"}');
SELECT outcome, token FROM idem.reserve('scopes payout', 'po-2');
CALL idem.dispatch('scopes payout', 'po-2', 2) \gset
SELECT outcome FROM idem.complete('scopes payout', 'po-2', 1, 'failed', '{"bank":"no"}');
SELECT key, why FROM idem.due('scopes payout');
SELECT outcome, settled, state, detail FROM idem.resolve('scopes payout', 'po-2', 'succeeded', '{"bank":"yes"}');
-- It is not handed out at once again.
SELECT outcome, settled, state FROM idem.resolve('scopes payout', 'po-2', 'released', '{"bank":"never heard of it"}');
SELECT outcome FROM idem.reserve('scopes payout', 'po-2');
RESET ROLE;
SELECT state, why, step FROM idem.open_claims WHERE scope = 'scopes payout' AND key = 'po-2';
SELECT token, outcome, evidence FROM idem.late_result l JOIN idem.scope s ON s.id = l.scope AND s.name = 'scopes payout'
    WHERE key = 'po-2' ORDER BY n;
-- The holder's own result goes on, whoever looks.
SET ROLE regress_scopes_old;
SELECT outcome, state FROM idem.complete('scopes payout', 'po-2', 2, 'succeeded', '{"bank":"yes"}');
RESET ROLE;
-- An operator settles it.
SET ROLE regress_scopes_operator;
SELECT outcome, state FROM idem.resolve('scopes payout', 'po-2', 'succeeded', '{"statement":"one entry"}', force => 'the statement has one entry');
SELECT outcome, state FROM idem.resolve('scopes payout', 'po-1', 'failed', '{"statement":"no entry"}', force => 'the statement has none');
SELECT key FROM idem.open_claims WHERE scope = 'scopes payout' AND key IN ('po-1', 'po-2');
-- And sends nothing.
SELECT idem.reserve('scopes payout', 'po-3');
SELECT idem.claim('scopes debit', 'k');
RESET ROLE;

-- A login that has both rights is a finding.
CREATE ROLE regress_scopes_both LOGIN IN ROLE regress_scopes_old, regress_scopes_operator;
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE finding ~ 'application and an operator';
DROP ROLE regress_scopes_both;

DELETE FROM idem.runtime_role WHERE role LIKE 'regress\_scopes\_%';
DROP OWNED BY regress_scopes_old, regress_scopes_pay, regress_scopes_hand, regress_scopes_group, regress_scopes_member, regress_scopes_operator;
DROP ROLE regress_scopes_old, regress_scopes_pay, regress_scopes_hand, regress_scopes_group, regress_scopes_member, regress_scopes_operator;
DELETE FROM idem.evidence e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'scopes %';
DELETE FROM idem.late_result e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'scopes %';
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'scopes %';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'scopes %';
DELETE FROM idem.attempt USING idem.scope s WHERE scope = s.id AND s.name LIKE 'scopes %';
DELETE FROM idem.scope WHERE name LIKE 'scopes %';
