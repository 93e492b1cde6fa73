-- A limit sees every row, whoever writes, and lends nobody a right.
\set SHOW_CONTEXT never
CREATE ROLE regress_idem_limit_owner;
CREATE ROLE regress_idem_limit_other;
CREATE ROLE regress_idem_limit_app;
CREATE ROLE regress_idem_limit_clerk;
CREATE ROLE regress_idem_limit_thief;
CREATE SCHEMA limit_priv AUTHORIZATION regress_idem_limit_owner;
GRANT USAGE ON SCHEMA limit_priv TO PUBLIC;
SET search_path = limit_priv;

SET ROLE regress_idem_limit_owner;
CREATE TABLE payment (id int PRIMARY KEY, amount numeric NOT NULL, currency text, tenant text);
CREATE TABLE refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount numeric, currency text, status text,
                     tenant text DEFAULT current_user);
INSERT INTO payment VALUES (1, 100, 'CNY', 'a'), (2, 100, 'CNY', 'b');

-- only the owner of both tables declares
RESET ROLE;
SET ROLE regress_idem_limit_thief;
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
RESET ROLE;
ALTER TABLE refund OWNER TO regress_idem_limit_thief;
SET ROLE regress_idem_limit_thief;
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
RESET ROLE;
ALTER TABLE refund OWNER TO regress_idem_limit_owner;
SET ROLE regress_idem_limit_owner;
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'status', released => '{failed}', same => '{"currency":"currency"}');
-- it is logged although the role has no right on the log
SELECT count(*) FROM idem.change_log;
RESET ROLE;
SELECT role = session_user AS by_whom, kind, name FROM idem.change_log WHERE relation = 'refund'::regclass;

-- An application that may insert refunds and nothing else; a clerk who may
-- read payments, too.
GRANT INSERT, UPDATE, SELECT ON refund TO regress_idem_limit_app, regress_idem_limit_clerk;
GRANT SELECT ON payment TO regress_idem_limit_clerk;
SET ROLE regress_idem_limit_app;
INSERT INTO refund VALUES (1, 1, 60, 'CNY');
SELECT * FROM payment;
-- the role is told that it is refused, not what the payment holds
INSERT INTO refund VALUES (2, 1, 60, 'CNY');
INSERT INTO refund VALUES (2, 1, 10, 'USD');
SELECT idem.remaining('refund', '1');
UPDATE refund SET status = 'failed' WHERE id = 1;
UPDATE refund SET status = 'sent' WHERE id = 1;
UPDATE payment SET refunded = 0;
RESET ROLE;
SET ROLE regress_idem_limit_clerk;
INSERT INTO refund VALUES (2, 1, 60, 'CNY');
INSERT INTO refund VALUES (2, 1, 10, 'USD');
SELECT idem.remaining('refund', '1');
RESET ROLE;
-- nor what a refund holds that the role updates and may not read
CREATE ROLE regress_idem_limit_blind;
GRANT INSERT, UPDATE ON refund TO regress_idem_limit_blind;
INSERT INTO refund VALUES (9, 2, 77, 'CNY', 'failed'), (10, 2, 44, 'CNY', 'sent');
SET ROLE regress_idem_limit_blind;
UPDATE refund SET status = 'sent';
UPDATE refund SET currency = 'USD', status = 'sent';
INSERT INTO refund VALUES (11, 2, 57, 'CNY');
RESET ROLE;
UPDATE refund SET status = 'failed' WHERE id = 10;
DROP OWNED BY regress_idem_limit_blind;
DROP ROLE regress_idem_limit_blind;
-- by a function of the clerk's, the answer still reaches the application
CREATE FUNCTION clerks_refund() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = limit_priv
    AS $$INSERT INTO refund VALUES (2, 1, 60, 'CNY')$$;
ALTER FUNCTION clerks_refund() OWNER TO regress_idem_limit_clerk;
SET ROLE regress_idem_limit_app;
SELECT clerks_refund();
RESET ROLE;

-- Row security hides payments and refunds from the application, not from the
-- limit; forced, not even from the owner whose name it acts in.
ALTER TABLE payment ENABLE ROW LEVEL SECURITY;
ALTER TABLE refund ENABLE ROW LEVEL SECURITY;
ALTER TABLE payment FORCE ROW LEVEL SECURITY;
ALTER TABLE refund FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON refund USING (tenant = current_user);
CREATE POLICY none ON payment USING (false);
SET ROLE regress_idem_limit_clerk;
SELECT count(*) FROM refund;
SELECT count(*) FROM payment;
INSERT INTO refund VALUES (2, 1, 60, 'CNY');
INSERT INTO refund VALUES (2, 1, 40, 'CNY');
INSERT INTO refund VALUES (3, 1, 1, 'CNY');
SELECT idem.remaining('refund', '1') IS NULL AS unseen;
RESET ROLE;
-- the owner and a superuser are judged like everybody
SET ROLE regress_idem_limit_owner;
INSERT INTO refund VALUES (3, 1, 1, 'CNY');
RESET ROLE;
INSERT INTO refund VALUES (3, 1, 1, 'CNY');
UPDATE payment SET refunded = 0 WHERE id = 1;
SELECT id, refunded FROM payment ORDER BY id;
-- the identity is given back, also after an error
SET ROLE regress_idem_limit_app;
BEGIN;
SAVEPOINT a;
INSERT INTO refund VALUES (4, 2, 1000, 'CNY');
ROLLBACK TO a;
INSERT INTO refund VALUES (4, 2, 10, 'CNY');
SELECT current_user;
DELETE FROM payment;
ROLLBACK;
RESET ROLE;

-- Names that the caller plants in its path, or in its temporary schema, are
-- not asked.
CREATE SCHEMA limit_evil AUTHORIZATION regress_idem_limit_app;
SET ROLE regress_idem_limit_app;
CREATE FUNCTION limit_evil.yes(numeric, numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR limit_evil.<= (leftarg = numeric, rightarg = numeric, function = limit_evil.yes);
CREATE FUNCTION limit_evil.zero(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT 0::numeric';
CREATE OPERATOR limit_evil.+ (leftarg = numeric, rightarg = numeric, function = limit_evil.zero);
CREATE OPERATOR limit_evil.- (leftarg = numeric, rightarg = numeric, function = limit_evil.zero);
CREATE TEMP TABLE payment (id int PRIMARY KEY, amount numeric, refunded numeric, currency text);
INSERT INTO pg_temp.payment VALUES (2, 1e9, 0, 'CNY');
SET search_path = pg_temp, limit_evil, limit_priv, pg_catalog;
SELECT 1000.0 <= 1.0 AS planted;
INSERT INTO refund VALUES (4, 2, 1000, 'CNY');
INSERT INTO refund VALUES (4, 2, 60, 'CNY');
INSERT INTO refund VALUES (5, 2, 60, 'CNY');
RESET ROLE;
SET search_path = limit_priv;
SELECT id, refunded FROM limit_priv.payment ORDER BY id;
DROP TABLE pg_temp.payment;

-- A role that may reference the payments cannot make them count: its table
-- does not have the consent of their owner, whatever it is called.
GRANT REFERENCES ON payment TO regress_idem_limit_thief;
CREATE SCHEMA limit_thief AUTHORIZATION regress_idem_limit_thief;
SET ROLE regress_idem_limit_thief;
CREATE TABLE limit_thief.refund (payment_id int NOT NULL, amount numeric, currency text,
    CONSTRAINT refund_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES payment);
CREATE TRIGGER "IDEM_limit_payment_id" AFTER INSERT OR UPDATE OR DELETE ON limit_thief.refund FOR EACH ROW
    EXECUTE FUNCTION idem.keep_limit('idem=1', 'fk={payment_id}', 'amount=amount', 'cap=amount', 'used=refunded', 'same={currency,currency}', 'children=editable');
ALTER TABLE limit_thief.refund ENABLE ALWAYS TRIGGER "IDEM_limit_payment_id";
INSERT INTO limit_thief.refund VALUES (2, 40, 'CNY');
CREATE TABLE limit_thief.other (payment_id int NOT NULL REFERENCES payment, amount numeric);
SELECT idem.guard_limit('limit_thief.other', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded2', released => NULL);
CREATE CONSTRAINT TRIGGER mine AFTER INSERT ON limit_priv.payment FROM limit_thief.refund FOR EACH ROW
    EXECUTE FUNCTION idem.keep_total('idem=1', 'fk={payment_id}', 'amount=amount', 'key={id}', 'cap=amount', 'used=refunded', 'same_parent={currency}', 'cap_grows=false');
RESET ROLE;
SELECT id, refunded FROM payment ORDER BY id;

-- Two owners: what a declaration does on the parent, it does as the parent's
-- owner, who has to be allowed to read and to bind the child.
CREATE TABLE authorisation (id int PRIMARY KEY, amount int NOT NULL);
CREATE TABLE capture (authorisation_id int NOT NULL REFERENCES authorisation, amount int);
INSERT INTO authorisation VALUES (1, 100);
INSERT INTO capture VALUES (1, 60);
ALTER TABLE authorisation OWNER TO regress_idem_limit_owner;
ALTER TABLE capture OWNER TO regress_idem_limit_other;
SELECT idem.guard_limit('capture', 'authorisation_id', amount => 'amount', cap => 'amount', used => 'captured', released => NULL);
GRANT SELECT ON capture TO regress_idem_limit_owner;
SELECT idem.guard_limit('capture', 'authorisation_id', amount => 'amount', cap => 'amount', used => 'captured', released => NULL);
GRANT TRIGGER ON capture TO regress_idem_limit_owner;
-- rows that row security would hide are not taken for none
ALTER TABLE capture ENABLE ROW LEVEL SECURITY;
SELECT idem.guard_limit('capture', 'authorisation_id', amount => 'amount', cap => 'amount', used => 'captured', released => NULL);
ALTER TABLE capture DISABLE ROW LEVEL SECURITY;
-- what the owner hung on the table runs as the owner, not as the superuser who
-- declares
CREATE FUNCTION who() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE NOTICE 'runs as %, restricted: %', current_user, current_setting('search_path'); RETURN NEW; END $$;
CREATE TRIGGER who BEFORE UPDATE ON authorisation FOR EACH ROW EXECUTE FUNCTION who();
SELECT idem.guard_limit('capture', 'authorisation_id', amount => 'amount', cap => 'amount', used => 'captured', released => NULL);
SELECT current_user = session_user AS myself, current_setting('search_path'), current_setting('row_security');
DROP TRIGGER who ON authorisation;
-- nor does code of the child's owner run as the owner of the parent: a cast
-- of theirs is not asked how a state or a currency reads
DROP TABLE capture;
ALTER TABLE authorisation DROP captured, ADD currency text;
CREATE TYPE state AS ENUM ('new', 'failed');
CREATE FUNCTION evil(state) RETURNS text LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'evil runs as %', current_user; END$$;
CREATE CAST (state AS text) WITH FUNCTION evil(state);
CREATE TABLE capture (authorisation_id int NOT NULL REFERENCES authorisation, amount int, state state, currency varchar(3));
INSERT INTO capture VALUES (1, 60, 'new', 'CNY'), (1, 100, 'failed', 'CNY');
ALTER TABLE capture OWNER TO regress_idem_limit_other;
GRANT SELECT, TRIGGER ON capture TO regress_idem_limit_owner;
SELECT idem.guard_limit('capture', 'authorisation_id', amount => 'amount', cap => 'amount', used => 'captured',
    state => 'state', released => '{failed}', same => '{"currency":"currency"}');
UPDATE authorisation SET currency = 'CNY';
SELECT idem.guard_limit('capture', 'authorisation_id', amount => 'amount', cap => 'amount', used => 'captured',
    state => 'state', released => '{failed}', same => '{"currency":"currency"}');
-- once it stands, the child's owner needs nothing on the parent
REVOKE ALL ON capture FROM regress_idem_limit_owner;
SET ROLE regress_idem_limit_other;
INSERT INTO capture VALUES (1, 40, 'new', 'CNY');
INSERT INTO capture VALUES (1, 1, 'new', 'CNY');
RESET ROLE;
SELECT * FROM authorisation;

-- What hangs on the parent runs as its owner; the role that inserts a refund
-- does not choose what its names mean.
CREATE SCHEMA limit_path AUTHORIZATION regress_idem_limit_app;
SET ROLE regress_idem_limit_app;
CREATE FUNCTION limit_path.lower(text) RETURNS text LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'evil runs as %', current_user; END$$;
RESET ROLE;
SET search_path = limit_priv;
CREATE FUNCTION by_path() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE NOTICE '% as %, by %', lower('SEEN'), current_user, current_setting('search_path'); RETURN NEW; END$$;
CREATE TRIGGER by_path BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION by_path();
SET ROLE regress_idem_limit_app;
SET search_path = limit_path, pg_catalog, limit_priv;
INSERT INTO refund VALUES (77, 2, 1, 'CNY');
SHOW search_path;
RESET ROLE;
-- a role that has the owner's rights keeps its own path
SET ROLE regress_idem_limit_owner;
SET search_path = limit_priv, public;
INSERT INTO refund VALUES (78, 2, 1, 'CNY');
RESET ROLE;

DROP SCHEMA limit_priv, limit_evil, limit_thief, limit_path CASCADE;
DROP ROLE regress_idem_limit_owner, regress_idem_limit_other, regress_idem_limit_app, regress_idem_limit_clerk, regress_idem_limit_thief;
