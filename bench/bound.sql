-- bound: an INSERT of a row for a claim, beside what a foreign key adds to it.
--
-- The same claim and the same row into a table without any check, with a
-- foreign key, and bound to its claim (bound.sh counts the instructions).

CREATE TABLE bench.bound_account (id integer PRIMARY KEY);
INSERT INTO bench.bound_account SELECT generate_series(1, 1000);
CREATE TABLE bench.bound_bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                               message text NOT NULL, account integer NOT NULL, amount bigint NOT NULL);
CREATE TABLE bench.bound_fk (LIKE bench.bound_bare INCLUDING ALL);
CREATE TABLE bench.bound_idem (LIKE bench.bound_bare INCLUDING ALL);
ALTER TABLE bench.bound_fk ADD FOREIGN KEY (account) REFERENCES bench.bound_account;
SELECT idem.create_scope('bench bound', effect => 'inside', fields => '{}', flush => false);
SELECT idem.guard_claimed('bench.bound_idem', '{message}', 'bench bound');
