-- One verdict, whoever writes and whatever hides: every role, every way in,
-- every combination of row security on parent and child.
\set SHOW_CONTEXT never
CREATE SCHEMA limit_verdicts;
SET search_path = limit_verdicts;
CREATE ROLE regress_idem_verdict_owner;
CREATE ROLE regress_idem_verdict_app;       -- may write refunds, nothing on payments
CREATE ROLE regress_idem_verdict_columns;   -- may write three columns of refunds
CREATE ROLE regress_idem_verdict_view;      -- may write a view of refunds
CREATE ROLE regress_idem_verdict_super SUPERUSER;
GRANT ALL ON SCHEMA limit_verdicts TO PUBLIC;

CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL, currency text, status text);
CREATE TABLE refund (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payment_id int NOT NULL REFERENCES payment,
                     amount int, currency text, status text DEFAULT 'new', note text);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'status', released => '{failed}', facts => '{returned}', same => '{"currency":"currency"}',
    parent_state => 'status', open => '{paid}', count_cap => 3, count_used => 'refunds');
ALTER TABLE payment OWNER TO regress_idem_verdict_owner;
ALTER TABLE refund OWNER TO regress_idem_verdict_owner;
CREATE VIEW plain_view AS SELECT * FROM refund;
CREATE VIEW invoker_view WITH (security_invoker) AS SELECT * FROM refund;
ALTER VIEW plain_view OWNER TO regress_idem_verdict_owner;
GRANT INSERT, UPDATE, SELECT, DELETE ON refund, plain_view, invoker_view TO regress_idem_verdict_app;
GRANT INSERT (payment_id, amount, currency), UPDATE (status), SELECT ON refund TO regress_idem_verdict_columns;
GRANT INSERT, UPDATE, SELECT ON plain_view TO regress_idem_verdict_view;
CREATE POLICY all_refunds ON refund USING (true);
CREATE POLICY no_payments ON payment USING (false);

-- What is tried, on a payment of 100 CNY of which 60 are used by one refund
-- and one of 50 has failed; payment 2 is not paid.
CREATE TABLE attempt (n int PRIMARY KEY, what text, statement text);
INSERT INTO attempt VALUES
    (1, 'fits', 'INSERT INTO %s (payment_id, amount, currency) VALUES (1, 40, ''CNY'')'),
    (2, 'too much', 'INSERT INTO %s (payment_id, amount, currency) VALUES (1, 41, ''CNY'')'),
    (3, 'two', 'INSERT INTO %s (payment_id, amount, currency) VALUES (1, 20, ''CNY''), (1, 20, ''CNY'')'),
    (4, 'too many', 'INSERT INTO %s (payment_id, amount, currency) VALUES (1, 1, ''CNY''), (1, 1, ''CNY''), (1, 1, ''CNY'')'),
    (5, 'currency', 'INSERT INTO %s (payment_id, amount, currency) VALUES (1, 1, ''USD'')'),
    (6, 'unpaid', 'INSERT INTO %s (payment_id, amount, currency) VALUES (2, 1, ''CNY'')'),
    (7, 'no payment', 'INSERT INTO %s (payment_id, amount, currency) VALUES (3, 1, ''CNY'')'),
    (8, 'released', 'UPDATE %s SET status = ''failed'' WHERE amount = 60'),
    (9, 'taken back', 'UPDATE %s SET status = ''new'' WHERE amount = 50'),
    (10, 'a fact', 'UPDATE %s SET status = ''returned'' WHERE amount = 50');

-- One attempt as a role; what became of payment 1, or the SQLSTATE.  It is
-- taken back in any case.
CREATE FUNCTION verdict(who text, via text, what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE format(what, via);
    RESET ROLE;
    SET LOCAL ROLE regress_idem_verdict_super;
    SELECT format('%s+%s/%s', refunded, excess, refunds) INTO result FROM payment WHERE id = 1;
    RESET ROLE;
    RAISE EXCEPTION USING ERRCODE = 'IDEMO', MESSAGE = result;
EXCEPTION WHEN OTHERS THEN
    RESET ROLE;
    RETURN CASE SQLSTATE WHEN 'IDEMO' THEN SQLERRM ELSE SQLSTATE END;
END $$;
INSERT INTO payment VALUES (1, 100, 'CNY', 'paid'), (2, 100, 'CNY', 'created');
INSERT INTO refund (payment_id, amount, currency, status) VALUES (1, 60, 'CNY', 'new'), (1, 50, 'CNY', 'failed');

-- What the owner is told without any row security is what everybody is told.
CREATE TABLE expected AS
    SELECT n, what, verdict('regress_idem_verdict_owner', 'refund', statement) AS verdict FROM attempt;
SELECT * FROM expected ORDER BY n;
CREATE FUNCTION compare() RETURNS TABLE (payments text, refunds text, asked bigint, different text) LANGUAGE plpgsql AS $$
DECLARE
    p text;
    r text;
BEGIN
    FOREACH p IN ARRAY '{DISABLE,ENABLE,FORCE}'::text[] LOOP
        FOREACH r IN ARRAY '{DISABLE,ENABLE,FORCE}'::text[] LOOP
            EXECUTE format('ALTER TABLE payment %s ROW LEVEL SECURITY', CASE p WHEN 'FORCE' THEN 'ENABLE' ELSE p END);
            EXECUTE format('ALTER TABLE payment %s FORCE ROW LEVEL SECURITY', CASE p WHEN 'FORCE' THEN '' ELSE 'NO' END);
            EXECUTE format('ALTER TABLE refund %s ROW LEVEL SECURITY', CASE r WHEN 'FORCE' THEN 'ENABLE' ELSE r END);
            EXECUTE format('ALTER TABLE refund %s FORCE ROW LEVEL SECURITY', CASE r WHEN 'FORCE' THEN '' ELSE 'NO' END);
            RETURN QUERY
                SELECT p, r, count(*), string_agg(format('%s by %s: %s', e.what, w.via, w.verdict), '; ')
                    FILTER (WHERE w.verdict <> e.verdict)
                FROM (SELECT a.n, v.via, verdict(v.who, v.via, a.statement) AS verdict
                      FROM attempt a, (VALUES ('regress_idem_verdict_owner', 'refund'),
                                              ('regress_idem_verdict_super', 'refund'),
                                              ('regress_idem_verdict_app', 'refund'),
                                              ('regress_idem_verdict_columns', 'refund'),
                                              ('regress_idem_verdict_app', 'plain_view'),
                                              ('regress_idem_verdict_view', 'plain_view'),
                                              ('regress_idem_verdict_app', 'invoker_view')) v (who, via)) w
                JOIN expected e USING (n);
        END LOOP;
    END LOOP;
END $$;
SELECT * FROM compare();
-- the same through the executor
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION touch();
SELECT * FROM compare();

DROP SCHEMA limit_verdicts CASCADE;
DROP ROLE regress_idem_verdict_owner, regress_idem_verdict_app, regress_idem_verdict_columns,
    regress_idem_verdict_view, regress_idem_verdict_super;
