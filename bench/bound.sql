-- bound: an INSERT of a row for a claim, beside what a foreign key adds to it.
--
-- The same claim and the same row into a table without any check, with a
-- foreign key, and bound to its claim (bound.sh counts the instructions).
-- And the same for a key in a table of the user's: without any guard, and with
-- guard_keys, its request compared, and the row bound to it.

CREATE TABLE bench.bound_account (id integer PRIMARY KEY);
INSERT INTO bench.bound_account SELECT generate_series(1, 1000);
CREATE TABLE bench.bound_bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                               message text NOT NULL, account integer NOT NULL, amount bigint NOT NULL);
CREATE TABLE bench.bound_fk (LIKE bench.bound_bare INCLUDING ALL);
CREATE TABLE bench.bound_idem (LIKE bench.bound_bare INCLUDING ALL);
ALTER TABLE bench.bound_fk ADD FOREIGN KEY (account) REFERENCES bench.bound_account;
SELECT idem.create_scope('bench bound', effect => 'inside', fields => '{}', flush => false);
SELECT idem.guard_claimed('bench.bound_idem', '{message}', 'bench bound');

CREATE TABLE bench.bound_key_bare (key text PRIMARY KEY, request jsonb);
CREATE TABLE bench.bound_key_idem (LIKE bench.bound_key_bare INCLUDING ALL);
CREATE TABLE bench.bound_row_bare (LIKE bench.bound_bare INCLUDING ALL);
CREATE TABLE bench.bound_row_idem (LIKE bench.bound_bare INCLUDING ALL);
SELECT idem.guard_keys('bench.bound_key_idem', '{key}', request => 'request', fields => '{account,amount}');
SELECT idem.guard_claimed('bench.bound_row_idem', '{message}', keys => 'bench.bound_key_idem');
