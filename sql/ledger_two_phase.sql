-- Transfers in two phases, as a table of steps with the status that each has to
-- have: the cases that a ledger database documents for reserving, posting in
-- full, in part and beyond, releasing, and doing any of it twice (TigerBeetle,
-- docs.tigerbeetle.com/coding/two-phase-transfers), in words of our own.
--
-- A pending transfer reserves its amount of the payer and gives the payee
-- nothing; a posting names it.  What a timeout does there is a statement of the
-- user's here: a hold that has lapsed is released like any other.
CREATE EXTENSION IF NOT EXISTS idem;
CREATE SCHEMA two_phase;
SET search_path = two_phase, public;
CREATE TABLE account (id int PRIMARY KEY, currency text NOT NULL, floor int NOT NULL, is_free boolean NOT NULL DEFAULT false);
CREATE TABLE transfer (id int PRIMARY KEY, debit_id int NOT NULL REFERENCES account, credit_id int NOT NULL REFERENCES account, amount int NOT NULL,
    currency text NOT NULL, status text NOT NULL, pending_id int UNIQUE REFERENCES transfer, timeout timestamptz, CHECK (debit_id <> credit_id));
INSERT INTO account VALUES (0, 'EUR', 0, true), (1, 'EUR', 0, false), (2, 'EUR', 0, false), (3, 'EUR', 0, false), (9, 'USD', 0, false);
SELECT idem.guard_balance('transfer', fk, amount => 'amount', balance => 'balance', side => side, normal => 'credit', floor => 'floor', unbounded => 'is_free',
    same => '{"currency":"currency"}', state => 'status', pending => '{pending}', released => '{void}', posts => 'pending_id', expires_at => 'timeout')
FROM (VALUES ('debit_id', 'debit'), ('credit_id', 'credit')) v (fk, side);

-- what: post needs the id of a pending transfer, void too; a void has no row of its own
CREATE TABLE step (n int GENERATED ALWAYS AS IDENTITY, what text, id int, pending_id int, debit_id int, credit_id int, amount int, expected text, why text);
COPY step (what, id, pending_id, debit_id, credit_id, amount, expected, why) FROM stdin (DELIMITER '|');
move|1|\N|0|1|100|ok|one phase: the payer has no bound
move|2|\N|1|2|101|23I05|more than there is
reserve|3|\N|1|2|60|ok|reserved, not moved
reserve|4|\N|1|2|41|23I05|what is reserved cannot be reserved again
move|5|\N|1|2|41|23I05|nor moved
move|6|\N|2|3|1|23I05|the payee has nothing of it yet
post|7|3|1|2|61|23I05|more than was reserved
post|8|3|1|3|60|23I06|another payee
post|9|3|3|2|60|23I06|another payer
post|10|99|1|2|60|23I09|no such transfer
post|11|1|0|1|100|23I09|one that was not pending
post|12|3|1|2|60|ok|in full
post|13|3|1|2|60|23505|once
void|\N|3|\N|\N|\N|23I07|not released after it was posted
move|15|\N|2|3|60|ok|now the payee has it
reserve|16|\N|1|2|40|ok|the rest
post|14|16|1|2|0|23514|an amount of nothing
post|17|16|1|2|15|ok|in part: the remainder goes back
move|18|\N|1|3|26|23I05|25 of it
move|19|\N|1|3|25|ok|and no more
post|20|16|1|2|25|23505|what is left of a posted one is not pending
reserve|21|\N|2|1|15|ok|to be released
void|\N|21|\N|\N|\N|ok|all of it goes back
void|\N|21|\N|\N|\N|none|once: there is nothing pending
post|22|21|2|1|15|23I09|not posted after it was released
move|23|\N|2|1|15|ok|it can be moved
reserve|24|\N|1|2|5|ok|two of one payer
reserve|25|\N|1|3|10|ok|side by side
reserve|26|\N|1|3|1|23I05|all is reserved
void|\N|24|\N|\N|\N|ok|one is given back
move|27|\N|1|2|5|ok|and only that
post|28|25|1|3|10|ok|the other is posted
reserve|29|\N|0|9|1|23I06|to another currency
move|30|\N|1|1|1|23514|to itself
move|31|\N|0|77|1|23503|to nobody
move|1|\N|0|1|100|23505|an id is there once
\.

-- Do a step; the SQLSTATE, ok, or none for an UPDATE that found nothing.
CREATE FUNCTION take(s step) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF s.what = 'void' THEN
        UPDATE transfer SET status = 'void' WHERE id = s.pending_id AND status = 'pending';
        RETURN CASE WHEN FOUND THEN 'ok' ELSE 'none' END;
    END IF;
    INSERT INTO transfer VALUES (s.id, s.debit_id, s.credit_id, s.amount, (SELECT currency FROM account WHERE id = s.debit_id),
        CASE s.what WHEN 'reserve' THEN 'pending' ELSE 'posted' END, s.pending_id, CASE s.what WHEN 'reserve' THEN now() + interval '1 hour' END);
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
CREATE TABLE seen (n int, status text, balances text);
DO $$
DECLARE
    s step;
    result text;
BEGIN
    FOR s IN SELECT * FROM step ORDER BY n LOOP
        result := take(s);
        INSERT INTO seen SELECT s.n, result, (SELECT string_agg(balance || CASE WHEN held > 0 THEN '-' || held ELSE '' END, ' ' ORDER BY id) FROM account WHERE id BETWEEN 1 AND 3);
    END LOOP;
END $$;
-- payer-reserved, for the accounts 1, 2 and 3, after each step
SELECT s.what, s.id, s.pending_id AS of, s.debit_id AS dr, s.credit_id AS cr, s.amount, seen.status, seen.balances, s.why FROM step s JOIN seen USING (n) ORDER BY n;
SELECT s.*, seen.status FROM step s JOIN seen USING (n) WHERE s.expected <> seen.status ORDER BY n;
SELECT object, finding FROM idem.doctor() WHERE object LIKE 'balance guard%' AND severity = 'error';
DROP SCHEMA two_phase CASCADE;
