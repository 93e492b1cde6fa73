--
-- What a declaration of a balance, or of a journal, has to say; and a balance by a
-- foreign key of several columns, of signed amounts, without a floor, where all
-- entries are facts.
--
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA ledger_declare;
SET search_path = ledger_declare;
CREATE TABLE account (
    id int, unit text, floor numeric NOT NULL DEFAULT 0, soft numeric, whole int NOT NULL DEFAULT 0, open int NOT NULL DEFAULT 0,
    PRIMARY KEY (id, unit));
CREATE TABLE entry (
    id int PRIMARY KEY, account_id int NOT NULL, unit text NOT NULL, amount numeric NOT NULL, side text NOT NULL DEFAULT 'D',
    status text NOT NULL DEFAULT 'posted', hold_id int UNIQUE REFERENCES entry, other_id int UNIQUE, same_id int UNIQUE,
    at timestamptz, ratio real, UNIQUE (id, unit),
    FOREIGN KEY (account_id, unit) REFERENCES account, FOREIGN KEY (same_id) REFERENCES entry ON DELETE CASCADE);
CREATE FUNCTION declare(options text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT idem.guard_balance(''entry'', ''{account_id,unit}''::text[], amount => ''amount'', balance => ''balance'', %s)', options);
END $$;
\set VERBOSITY terse

-- which way an entry goes
SELECT declare($$side => 'debit', normal => 'credit', normal_column => 'unit'$$);
SELECT declare($$debit => 'D'$$);
SELECT declare($$direction => 'side', debit => 'D', credit => 'D', normal => 'credit'$$);
-- which entries count
SELECT declare($$released => '{void}'$$);
SELECT declare($$facts => '{returned}'$$);
SELECT declare($$state => 'status', released => '{}', expires_at => 'at'$$);
SELECT declare($$state => 'status', released => '{}', pending => '{pending}', over => true$$);
SELECT declare($$state => 'status', released => '{}', pending => '{pending}', posts => 'hold_id', children => 'editable'$$);
-- a hold is named by a foreign key to the entries themselves, and by no other
SELECT declare($$state => 'status', released => '{}', pending => '{pending}', posts => 'other_id'$$);
SELECT declare($$state => 'status', released => '{}', pending => '{pending}', posts => 'same_id'$$);
-- bounds say something, of every account, in the type of the amounts
SELECT declare($$floor => 'soft'$$);
SELECT declare($$floor => 'whole'$$);
SELECT declare($$floor => 'floor', unbounded => 'open'$$);
-- a journal balances in exact numbers
CREATE TABLE book (id int PRIMARY KEY);
CREATE TABLE roughly (book_id int NOT NULL REFERENCES book, ratio real);
SELECT idem.guard_journal('roughly', 'book_id', amount => 'ratio');
DROP TABLE roughly, book;

-- Signed amounts, no bound, all of them facts that have happened.
SELECT declare($$facts => '{*}'$$);
INSERT INTO account (id, unit) VALUES (1, 'EUR'), (1, 'USD');
INSERT INTO entry (id, account_id, unit, amount) VALUES (1, 1, 'EUR', -10.50), (2, 1, 'EUR', 4), (3, 1, 'USD', 7);
SELECT id, unit, balance, shortfall, idem.available('entry', jsonb_build_object('id', id, 'unit', unit)::text) FROM account ORDER BY 1, 2;
SELECT relation, kind, intact FROM idem.guards WHERE relation = 'entry'::regclass;
SELECT object, finding FROM idem.doctor() WHERE object ~ 'ledger_declare' AND severity = 'error';
SELECT idem.drop_guard('entry', 'balance', reason => 'test');
DROP TABLE entry, account;

-- A hold of signed amounts is posted on its own side, up to its size, and given back.
CREATE TABLE account (id int PRIMARY KEY, floor numeric NOT NULL DEFAULT 0);
CREATE TABLE entry (id int PRIMARY KEY, account_id int NOT NULL REFERENCES account, amount numeric NOT NULL, status text NOT NULL DEFAULT 'posted',
    hold_id int UNIQUE REFERENCES entry);
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', floor => 'floor', state => 'status',
    pending => '{pending}', released => '{void}', posts => 'hold_id');
INSERT INTO account VALUES (1);
INSERT INTO entry VALUES (1, 1, 100, 'posted'), (2, 1, -30, 'pending');
SELECT balance, held FROM account;
INSERT INTO entry VALUES (3, 1, -30.01, 'posted', 2);
INSERT INTO entry VALUES (3, 1, 10, 'posted', 2);
INSERT INTO entry VALUES (3, 1, -12.25, 'posted', 2);
SELECT balance, held FROM account;
INSERT INTO entry VALUES (4, 1, 'NaN');
INSERT INTO entry VALUES (4, 1, 'Infinity');

-- An editable entry that does not count may go, whatever the balance is.
CREATE TABLE purse (id int PRIMARY KEY, floor bigint NOT NULL DEFAULT 0);
CREATE TABLE move (id int PRIMARY KEY, purse_id int NOT NULL REFERENCES purse, amount bigint NOT NULL, status text NOT NULL);
SELECT idem.guard_balance('move', 'purse_id', amount => 'amount', balance => 'balance', floor => 'floor', state => 'status',
    released => '{void}', children => 'editable');
INSERT INTO purse VALUES (1);
INSERT INTO move VALUES (1, 1, 5, 'done'), (2, 1, 50, 'void');
DELETE FROM move WHERE id = 2;
SELECT balance FROM purse;
DELETE FROM move WHERE id = 1;
SELECT balance FROM purse;

-- An account that does not say on which side it grows
CREATE TABLE book (id int PRIMARY KEY, own text NOT NULL);
CREATE TABLE leg (id int PRIMARY KEY, book_id int NOT NULL REFERENCES book, way text NOT NULL, amount bigint NOT NULL);
SELECT idem.guard_balance('leg', 'book_id', amount => 'amount', balance => 'balance', direction => 'way', debit => 'D', credit => 'C',
    normal_column => 'own');
INSERT INTO book VALUES (1, 'D'), (2, '?');
INSERT INTO leg VALUES (1, 1, 'C', 5), (2, 1, 'D', 7);
INSERT INTO leg VALUES (3, 2, 'D', 7);
SELECT id, balance FROM book ORDER BY id;

-- A journal whose amount is missing, and one that is beyond what an amount can be
CREATE TABLE journal (id int PRIMARY KEY);
CREATE TABLE line (journal_id int NOT NULL REFERENCES journal, amount bigint);
SELECT idem.guard_journal('line', 'journal_id', amount => 'amount');
BEGIN;
INSERT INTO journal VALUES (1);
INSERT INTO line VALUES (1, NULL);
ROLLBACK;
BEGIN;
INSERT INTO journal VALUES (1);
INSERT INTO line SELECT 1, 9223372036854775807 FROM generate_series(1, 3);
\set VERBOSITY default
COMMIT;

DROP SCHEMA ledger_declare CASCADE;
