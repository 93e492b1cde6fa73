-- A session of a superuser that has set up a replication origin writes what was
-- judged elsewhere: pglogical applies and copies so.  Of anybody else it is not
-- believed.  (What pglogical brings: test/tap/815_scale_pglogical.pl)
\set VERBOSITY sqlstate
SELECT idem.define_machine('base_origin', '
stateDiagram-v2
    [*] --> made
    made --> paid
    paid --> [*]
') IS NOT NULL AS defined;
CREATE TABLE origin_payment (id int PRIMARY KEY, status text NOT NULL);
SELECT idem.guard_states('origin_payment', 'status', 'base_origin');
CREATE ROLE regress_origin;
GRANT ALL ON origin_payment TO regress_origin;
GRANT EXECUTE ON FUNCTION pg_replication_origin_session_setup(text), pg_replication_origin_session_reset() TO regress_origin;
SELECT pg_replication_origin_create('regress_origin') > 0 AS created;

-- in a session of the superuser
INSERT INTO origin_payment VALUES (1, 'paid');
SELECT pg_replication_origin_session_setup('regress_origin');
INSERT INTO origin_payment VALUES (1, 'paid');
-- what no edge leads to is refused all the same
UPDATE origin_payment SET status = 'made';
SELECT pg_replication_origin_session_reset();
INSERT INTO origin_payment VALUES (2, 'paid');

-- of a role that was granted the right
SET SESSION AUTHORIZATION regress_origin;
SELECT pg_replication_origin_session_setup('regress_origin');
INSERT INTO origin_payment VALUES (2, 'paid');
SELECT pg_replication_origin_session_reset();
RESET SESSION AUTHORIZATION;

-- who is made a superuser's stand-in by SET ROLE is still the superuser's session
SELECT pg_replication_origin_session_setup('regress_origin');
SET ROLE regress_origin;
INSERT INTO origin_payment VALUES (2, 'paid');
RESET ROLE;
SELECT pg_replication_origin_session_reset();
SELECT * FROM origin_payment ORDER BY id;

REVOKE EXECUTE ON FUNCTION pg_replication_origin_session_setup(text), pg_replication_origin_session_reset() FROM regress_origin;
DROP TABLE origin_payment;
DROP ROLE regress_origin;
SELECT pg_replication_origin_drop('regress_origin');
