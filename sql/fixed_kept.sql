--
-- Kept rows: a table that rows are only added to.
--
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
CREATE SCHEMA fixed_kept;
SET search_path = fixed_kept;

CREATE TABLE account (id int PRIMARY KEY);
INSERT INTO account VALUES (1), (2);
CREATE TABLE journal_line (
    id      int PRIMARY KEY,
    account int CONSTRAINT journal_line_account REFERENCES account ON UPDATE CASCADE ON DELETE CASCADE,
    amount  numeric NOT NULL
);

CREATE FUNCTION refusal(statement text,
    OUT code text, OUT "table" text, OUT "column" text, OUT "constraint" text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, "table" = TABLE_NAME,
        "column" = COLUMN_NAME, "constraint" = CONSTRAINT_NAME;
END $$;

SELECT idem.guard_kept('journal_line');
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger
    WHERE tgrelid = 'journal_line'::regclass AND NOT tgisinternal ORDER BY tgname;

-- Rows are added, in every way.
INSERT INTO journal_line VALUES (1, 1, 10), (2, 1, -10);
COPY journal_line FROM stdin;
3	2	5
\.
INSERT INTO journal_line VALUES (1, 1, 11) ON CONFLICT DO NOTHING;
MERGE INTO journal_line j USING (VALUES (4)) v(id) ON j.id = v.id
    WHEN NOT MATCHED THEN INSERT VALUES (v.id, 2, -5);

-- No row is updated, the changed column is named.
UPDATE journal_line SET amount = 11 WHERE id = 1;
SELECT * FROM refusal('UPDATE journal_line SET amount = 11 WHERE id = 1');
-- An UPDATE that changes nothing is refused, too: nobody has a reason to send one.
UPDATE journal_line SET amount = amount WHERE id = 1;
SELECT * FROM refusal('UPDATE journal_line SET amount = amount WHERE id = 1');
INSERT INTO journal_line VALUES (1, 1, 11) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
MERGE INTO journal_line j USING (VALUES (4)) v(id) ON j.id = v.id WHEN MATCHED THEN UPDATE SET amount = 0;
-- No row is deleted.
DELETE FROM journal_line WHERE id = 1;
SELECT * FROM refusal('DELETE FROM journal_line WHERE id = 1');
MERGE INTO journal_line j USING (VALUES (4)) v(id) ON j.id = v.id WHEN MATCHED THEN DELETE;
WITH gone AS (DELETE FROM journal_line RETURNING *) SELECT count(*) FROM gone;
-- No rows are truncated, also not in company of the table they refer to.
TRUNCATE journal_line;
SELECT * FROM refusal('TRUNCATE journal_line');
SELECT * FROM refusal('TRUNCATE account CASCADE');
-- A cascade reaches nothing.
DELETE FROM account WHERE id = 1;
UPDATE account SET id = 9 WHERE id = 1;
SELECT * FROM refusal('DELETE FROM account WHERE id = 1');
SELECT * FROM refusal('UPDATE account SET id = 9 WHERE id = 1');
-- Neither does a replica.
SET session_replication_role = replica;
UPDATE journal_line SET amount = 0;
DELETE FROM journal_line;
TRUNCATE journal_line;
RESET session_replication_role;
-- Statements that meet no row pass.
UPDATE journal_line SET amount = 0 WHERE false;
DELETE FROM journal_line WHERE false;
SELECT * FROM journal_line ORDER BY id;

-- The message tells nothing that its reader may not read.
CREATE ROLE regress_idem_kept_app;
GRANT USAGE ON SCHEMA fixed_kept TO regress_idem_kept_app;
GRANT DELETE, UPDATE ON journal_line TO regress_idem_kept_app;
SET ROLE regress_idem_kept_app;
DELETE FROM journal_line;
UPDATE journal_line SET amount = 0;
SELECT idem.guard_kept('account');
RESET ROLE;
SELECT idem.guard_kept('account');

-- A table without a primary key is kept as well.
CREATE TABLE note (words text);
SELECT idem.guard_kept('note');
INSERT INTO note VALUES ('a');
UPDATE note SET words = 'b';
DELETE FROM note;

-- The same declaration again (first day 14); those that are refused
SELECT idem.guard_kept('journal_line');
SELECT idem.guard_kept(NULL);
-- Fixed columns and kept rows may stand on one table.
SELECT idem.guard_fixed('journal_line', '{amount}');
UPDATE journal_line SET amount = 0 WHERE id = 1;

-- The trigger function does nothing in any other way.
SELECT idem.keep_rows();
SELECT idem.refuse_truncate();
CREATE TABLE other (id int);
INSERT INTO other VALUES (1);
CREATE TRIGGER by_hand BEFORE DELETE ON other FOR EACH ROW EXECUTE FUNCTION idem.keep_rows('idem=1');
DELETE FROM other;
DROP TRIGGER by_hand ON other;
CREATE TRIGGER by_hand AFTER INSERT ON other FOR EACH ROW EXECUTE FUNCTION idem.keep_rows('idem=1');
INSERT INTO other VALUES (2);
DROP TRIGGER by_hand ON other;
CREATE TRIGGER by_hand AFTER DELETE ON other FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_rows('idem=1');
DELETE FROM other;

SET client_min_messages = warning;
DROP SCHEMA fixed_kept CASCADE;
DROP ROLE regress_idem_kept_app;
